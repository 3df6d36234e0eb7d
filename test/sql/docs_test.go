package sql_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/report"
	naive "github.com/pqlstream/pqlstream/test/sql"
)

// document is what docs/metrics.md says of SQL.
func document(t *testing.T) string {
	text, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	_, section, found := strings.Cut(string(text), "\n## In SQL\n")
	require.True(t, found)
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}

// queries are those that it shows.
func queries(t *testing.T) (all []string) {
	for i, block := range strings.Split(document(t), "```sql\n") {
		if i > 0 {
			text, _, ended := strings.Cut(block, "```")
			require.True(t, ended)
			all = append(all, text)
		}
	}
	return all
}

func TestTheDocumentKnowsAllFiles(t *testing.T) {
	text := document(t)
	require.NoError(t, fs.WalkDir(naive.Files, ".", func(path string, e fs.DirEntry, err error) error {
		if !e.IsDir() {
			assert.Contains(t, text, "](../test/sql/"+path+")")
		}
		return err
	}))
	shown, err := fs.ReadFile(naive.Files, "metrics/pql_rate.sql")
	require.NoError(t, err)
	assert.Contains(t, text, "```sql\n"+string(shown)+"```\n")
}

// requireDocument runs what the document shows over what was exported, beside the tables that there are.
func (o *outcome) requireDocument() {
	csv, err := os.Create(filepath.Join(o.folder, "metrics.csv"))
	require.NoError(o.t, err)
	require.NoError(o.t, report.WriteCSV(csv, decoded(o.t, o.metrics.rows)))
	require.NoError(o.t, csv.Close())
	all := queries(o.t)
	require.Len(o.t, all, 4)
	for i := range all {
		for _, file := range []string{"metrics.parquet", "metrics.csv"} {
			all[i] = strings.ReplaceAll(all[i], "'"+file+"'", "'"+filepath.Join(o.folder, file)+"'")
		}
		o.exec(all[i])
	}
	results := func(query string) int64 {
		_, last, several := strings.Cut(query, ";\n\n")
		if !several {
			last = query
		}
		return o.number("select count(*) from (" + strings.TrimSuffix(last, ";\n") + ")")
	}
	assert.Positive(o.t, results(all[0]))
	for _, both := range []string{"metrics except all from metrics_csv", "metrics_csv except all from metrics"} {
		both = strings.ReplaceAll("from "+both, "from ", "select * exclude (sketch) from ")
		assert.Zero(o.t, o.number("select count(*) from ("+both+")"), "rows of Parquet and CSV are the same")
	}
	assert.Zero(o.t, results(all[3]), "the rows are right")
	o.exec("update metrics set numerator = numerator + 1 where metric = 'pql_rate' and window_start = (select max(window_start) from metrics where metric = 'pql_rate' and unit = 'month')")
	assert.Positive(o.t, results(all[3]), "and if they were not, one would see it")
}
