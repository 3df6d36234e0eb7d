//go:build slow

package servers

import "testing"

func TestKafka39CommitsATransaction(t *testing.T) {
	tryTransactions(t, StartKafka(t, KafkaRelease(Kafka39)))
}
