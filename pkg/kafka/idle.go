package kafka

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/pkg/config"
)

// Idle asks Kafka which of the stages that these readings are of no process runs, in their order. A group that we may not see counts as one
// without processes: brokers leave it out.
func Idle(ctx context.Context, client *kgo.Client, readings []Reading) (stages []config.Stage, _ error) {
	groups, err := kadm.NewClient(client).ListGroups(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking which groups have processes: %w", err)
	}
	return StagesOf(slices.DeleteFunc(slices.Clone(readings), func(r Reading) bool { return !withoutMembers(groups[r.Group].State) })), nil
}

// StagesOf lists the stages of readings, each once.
func StagesOf(readings []Reading) (stages []config.Stage) {
	for _, r := range readings {
		if !slices.Contains(stages, r.Stage) {
			stages = append(stages, r.Stage)
		}
	}
	return stages
}

// Listed are the names of stages as a sentence lists them.
func Listed(stages []config.Stage) string {
	names := make([]string, len(stages))
	for i, s := range stages {
		names[i] = string(s)
	}
	return strings.Join(names, ", ")
}

// withoutMembers says whether the state of a group, empty where there is no group, is one of those that it has without processes.
func withoutMembers(state string) bool { return state == "" || state == "Empty" || state == "Dead" }
