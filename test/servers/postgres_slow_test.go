//go:build slow

package servers

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPostgresKeepsItsDataOverARestart(t *testing.T) {
	p := StartPostgres(t)
	run := func(sql string) string {
		out, err := p.SQL(t.Context(), "postgres", sql)
		require.NoError(t, err)
		return out
	}
	run("create table things (n int, name text)")
	run("insert into things values (1, 'one'), (2, null)")
	require.NoError(t, p.Restart())
	require.Equal(t, "1|one\n2|\n", run("select * from things order by n"))
	_, err := p.SQL(t.Context(), "postgres", "select 1; select nothing")
	require.ErrorContains(t, err, `column "nothing" does not exist`)
}
