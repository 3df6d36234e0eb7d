package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// tellTrouble logs what keeps a failed test's transactions from ending: what is open, and by whom.
func (s *setup) tellTrouble() {
	if !s.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ids, err := s.admin.ListTransactions(ctx, nil, nil)
	s.t.Logf("transactions: %v", err)
	for id, tx := range ids {
		if tx.State == "CompleteCommit" || tx.State == "CompleteAbort" || tx.State == "Empty" {
			continue
		}
		described, err := s.admin.DescribeTransactions(ctx, id)
		s.t.Logf("%+v: %+v %v", tx, described, err)
	}
	names := s.c.TopicNames()
	for _, topic := range []string{names.ActivationChangelog, names.Events, names.Lifecycle, names.Current, names.DeadLetters, "__consumer_offsets"} {
		ends, err := s.admin.ListEndOffsets(ctx, topic)
		stable, err2 := s.admin.ListCommittedOffsets(ctx, topic)
		if err != nil || err2 != nil {
			s.t.Logf("%s: %v %v", topic, err, err2)
			continue
		}
		ends.Each(func(o kadm.ListedOffset) {
			lso, _ := stable.Lookup(o.Topic, o.Partition)
			if lso.Offset == o.Offset {
				return
			}
			set := kadm.TopicsSet{}
			set.Add(o.Topic, o.Partition)
			producers, err := s.admin.DescribeProducers(ctx, set)
			s.t.Logf("%s-%d: last stable offset %d, end %d, open (%v):", o.Topic, o.Partition, lso.Offset, o.Offset, err)
			producers.EachProducer(func(p kadm.DescribedProducer) {
				if p.CurrentTxnStartOffset >= 0 {
					s.t.Logf("  %+v, last seen %v ago", p, time.Since(time.UnixMilli(p.LastTimestamp)))
				}
			})
		})
	}
	if dir := os.Getenv("E2E_KEEP"); dir != "" {
		dir = filepath.Join(dir, strings.ReplaceAll(s.t.Name(), "/", "_"))
		_ = os.MkdirAll(dir, 0o755)
		root := filepath.Dir(filepath.Dir(s.file))
		out, err := exec.Command("cp", "-r", root, dir).CombinedOutput()
		s.t.Logf("kept: %v %s", err, out)
	}
}
