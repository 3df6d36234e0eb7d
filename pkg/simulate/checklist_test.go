package simulate_test

import (
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/checklist"
	"github.com/pqlstream/pqlstream/pkg/simulate"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

func TestTheDemoChecklistFitsTheSample(t *testing.T) {
	text, err := os.ReadFile("../../config/checklists/demo.yaml")
	require.NoError(t, err)
	definition, err := checklist.Parse(text)
	require.NoError(t, err)
	compiled, err := checklist.Compile(definition)
	require.NoError(t, err)

	missing := map[string]bool{}
	for _, step := range definition.Steps {
		for _, event := range step.Event {
			missing[event] = true
		}
	}
	sizes := map[string]int{}
	excluded := 0
	for e := range sample(t, simulate.Options{}).Events() {
		delete(missing, e.Name)
		if e.Name != "account_created" {
			continue
		}
		account := slices.Clone(compiled.Defaults())
		for i, p := range compiled.Properties() {
			if v := e.Property(p.Name); v.Kind() != usage.Null {
				account[i] = v
			}
		}
		sizes[compiled.Tiers()[compiled.Tier(account)].Name]++
		if compiled.Excluded(account) {
			excluded++
		}
	}
	require.Empty(t, missing, "events of steps that the sample doesn't have")
	require.Greater(t, sizes["small"], sizes["medium"])
	require.Greater(t, sizes["medium"], sizes["large"])
	require.Positive(t, sizes["large"])
	require.Positive(t, excluded)
}
