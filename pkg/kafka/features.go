package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Features is what a cluster can do, of what the runtime cares for: what all of its brokers can.
type Features struct {
	ConsumerProtocol   bool  // KIP-848, where the broker assigns partitions
	TxnOffsetCommit    int16 // the newest version of the request
	TransactionVersion int16 // the feature's finalized level; 2 is transactions v2
}

// ProbeFeatures asks the brokers what they can do. Brokers that don't answer are left out, unless none does.
func ProbeFeatures(ctx context.Context, client *kgo.Client) (Features, error) {
	versions, err := kadm.NewClient(client).ApiVersions(ctx)
	if err != nil {
		return Features{}, fmt.Errorf("asking the brokers for their versions: %w", err)
	}
	var all Features
	var unanswered error
	answers := 0
	for _, broker := range versions.Sorted() {
		if broker.Err != nil {
			unanswered = errors.Join(unanswered, fmt.Errorf("broker %d: %w", broker.NodeID, broker.Err))
			continue
		}
		f := featuresOf(&broker)
		if answers > 0 {
			f = f.and(all)
		}
		all = f
		answers++
	}
	if answers == 0 {
		return Features{}, fmt.Errorf("asking the brokers for their versions: %w", unanswered)
	}
	return all, nil
}

func featuresOf(b *kadm.BrokerApiVersions) Features {
	var f Features
	heartbeat, _ := b.KeyMaxVersion(kmsg.ConsumerGroupHeartbeat.Int16())
	f.ConsumerProtocol = heartbeat >= 1 // 0 was a preview
	f.TxnOffsetCommit, _ = b.KeyMaxVersion(kmsg.TxnOffsetCommit.Int16())
	for _, finalized := range b.Raw().FinalizedFeatures {
		if finalized.Name == "transaction.version" {
			f.TransactionVersion = finalized.MaxVersionLevel
		}
	}
	return f
}

func (f Features) and(g Features) Features {
	return Features{
		ConsumerProtocol:   f.ConsumerProtocol && g.ConsumerProtocol,
		TxnOffsetCommit:    min(f.TxnOffsetCommit, g.TxnOffsetCommit),
		TransactionVersion: min(f.TransactionVersion, g.TransactionVersion),
	}
}

// Check refuses a cluster on which exactly-once can't be relied on. *Unfit.
func (f Features) Check() error {
	if f.TxnOffsetCommit < 3 {
		return &Unfit{errors.New("the brokers don't fence offset commits of transactions (KIP-447); Kafka 2.5 or later is needed")}
	}
	// From version 5 on the request itself adds the group to the transaction, but only a coordinator with
	// transactions v2 does so; with an older one the offsets would be committed beside the transaction.
	if f.TxnOffsetCommit >= 5 && f.TransactionVersion < 2 {
		return &Unfit{fmt.Errorf("the brokers run transactions v%d although they know v2; run "+
			"kafka-features.sh --bootstrap-server HOST:PORT upgrade --feature transaction.version=2", f.TransactionVersion)}
	}
	return nil
}
