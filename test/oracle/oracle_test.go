package oracle

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// TestOracleIsIndependent keeps what the oracle judges out of the oracle.
func TestOracleIsIndependent(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, i := range parsed.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			require.NoError(t, err)
			if strings.HasPrefix(path, "github.com/pqlstream/") {
				require.Equal(t, "github.com/pqlstream/pqlstream/pkg/usage", path, "%s must not import it", file)
			}
		}
	}
}

// TestOracleByHand follows one small account by eye: 1.5 of 11 weights, 2.5, then an exclusion that comes and goes.
func TestOracleByHand(t *testing.T) {
	o := New()
	offset := int64(0)
	fold := func(id, name string, at int64, properties ...usage.Property) {
		o.Fold(Record{Event: &usage.Event{ID: id, AccountID: "a", UserID: "u", Name: name, OccurredAt: at, Properties: properties}, Offset: offset})
		offset++
	}
	beta := func(b bool) usage.Property { return usage.Property{Key: "beta", Value: usage.BoolValue(b)} }
	fold("1", "unheard_of", 1)
	fold("2", "account_created", 1000, usage.Property{Key: "company_size", Value: usage.LongValue(900)})
	fold("3", "project_created", 2000)
	fold("4", "report_run", 3000)
	fold("4", "report_run", 3000)
	fold("5", "report_run", 4000)
	fold("6", "report_run", 5000)
	fold("7", "premium_viewed", 6000, beta(true))
	fold("8", "invite_sent", 7000, beta(false))
	fold("9", "subscription_started", 8000, usage.Property{Key: "plan", Value: usage.StringValue("pro")})
	var got []string
	for _, f := range o.Facts {
		got = append(got, f.EventID+" "+f.Type+" "+f.Step)
	}
	require.Equal(t, []string{
		"2 signed_up ", "3 active ", "3 step_done first_project", "3 near_miss heavy_week", "6 step_done heavy_week", "6 qualified ",
		"7 step_done saw_premium", "7 excluded ", "7 disqualified ", "8 included ", "8 requalified ", "9 converted ",
	}, got)
	a := o.Accounts(0)["a"]
	require.Equal(t, int64(1), a.Incarnation)
	require.Equal(t, 3.5/11, a.Rate)
	require.Equal(t, map[string]User{"u": {8, 8000}}, a.Users)
	require.Empty(t, o.Current)
}
