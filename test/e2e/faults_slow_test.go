//go:build slow

package e2e

import (
	"fmt"
	"testing"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/test/servers"
)

// kill ends a broker without a chance to write anything down.
func kill(k *servers.Kafka) error {
	if err := k.Kill(); err != nil {
		return err
	}
	return k.Restart()
}

func TestNothingIsLostOrDoubledByTheClassicProtocol(t *testing.T) {
	runFaults(t, faultPlan{protocol: config.ProtocolClassic, seed: 11, events: 500_000, accounts: 25_000, kills: 5, restartBroker: kill})
}

func TestNothingIsLostOrDoubledOnKafka39(t *testing.T) {
	runFaults(t, faultPlan{
		protocol: config.ProtocolClassic, seed: 12, events: 300_000, accounts: 15_000, kills: 5, restartBroker: kill,
		kafka: []servers.KafkaOption{servers.KafkaRelease(servers.Kafka39)},
	})
}

func TestNothingIsLostOrDoubledForManySeeds(t *testing.T) {
	for seed := uint64(20); seed < 24; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			runFaults(t, faultPlan{protocol: config.ProtocolConsumer, seed: seed, events: 300_000, accounts: 15_000, kills: 7, restartBroker: kill})
		})
	}
}

func TestWokenZombieChangesNothingByTheClassicProtocol(t *testing.T) {
	runZombies(t, config.ProtocolClassic, 31, 8)
}

func TestWokenZombieChangesNothingOnKafka39(t *testing.T) {
	runZombies(t, config.ProtocolClassic, 32, 4, servers.KafkaRelease(servers.Kafka39))
}

func TestWokenZombieChangesNothingInManyRounds(t *testing.T) {
	runZombies(t, config.ProtocolConsumer, 33, 12)
}
