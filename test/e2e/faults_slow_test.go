//go:build slow

package e2e

import (
	"fmt"
	"testing"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/test/servers"
)

// restart stops the broker at any moment and starts it again.
func restart(s *setup, _ ...*process) error { return s.kafka.Restart() }

// kill ends the broker without a chance to write anything down.
func kill(s *setup, _ ...*process) error {
	if err := s.kafka.Kill(); err != nil {
		return err
	}
	return s.kafka.Restart()
}

func TestNothingIsLostOrDoubledByTheClassicProtocol(t *testing.T) {
	runFaults(t, faultPlan{protocol: config.ProtocolClassic, seed: 11, events: 500_000, accounts: 25_000, kills: 5, restartBroker: restartBetweenMarkers})
}

// TestNothingIsLostOrDoubledOnKafka39 restarts and kills the broker at any moment.
func TestNothingIsLostOrDoubledOnKafka39(t *testing.T) {
	for seed, how := range []func(*setup, ...*process) error{restart, kill} {
		runFaults(t, faultPlan{
			protocol: config.ProtocolClassic, seed: uint64(12 + seed), events: 300_000, accounts: 15_000, kills: 5, restartBroker: how,
			kafka: []servers.KafkaOption{servers.KafkaRelease(servers.Kafka39)},
		})
	}
}

func TestNothingIsLostOrDoubledForManySeeds(t *testing.T) {
	for seed := uint64(20); seed < 24; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			runFaults(t, faultPlan{protocol: config.ProtocolConsumer, seed: seed, events: 300_000, accounts: 15_000, kills: 7, restartBroker: restartBetweenMarkers})
		})
	}
}

func TestNoLifeIsLostOrDoubledForManySeeds(t *testing.T) {
	for seed := uint64(40); seed < 44; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			runFaults(t, faultPlan{
				protocol: config.ProtocolConsumer, seed: seed, events: 200_000, accounts: 8_000, kills: 5, lives: true, restartBroker: restartBetweenMarkers,
			})
		})
	}
}

func TestNoRowOfMetricsIsWrongForManySeeds(t *testing.T) {
	for seed := uint64(60); seed < 64; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			runFaults(t, faultPlan{
				protocol: config.ProtocolConsumer, seed: seed, events: 60_000, accounts: 6_000, kills: 4, lives: true, metrics: true,
				restartBroker: restartBetweenMarkers,
			})
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
