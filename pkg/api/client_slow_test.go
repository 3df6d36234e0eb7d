//go:build slow

package api

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/inspect"
)

// clientGenerator is what makes a client in Python of the description. It comes from the package index.
const clientGenerator = "openapi-python-client==0.29.1"

// asked uses the generated client as somebody would who has read the description.
const asked = `
import sys
from pqlstream_client import AuthenticatedClient
from pqlstream_client.api.accounts import get_account, get_account_history, list_accounts
from pqlstream_client.api.checklist import get_checklist, list_checklist_versions
from pqlstream_client.api.metrics import get_metrics_catalog, list_metrics
from pqlstream_client.api.pqls import list_pqls
from pqlstream_client.api.status import get_status
from pqlstream_client.models import ListPqlsSort, Problem

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)
page = list_pqls.sync(client=client, tier="large", sort=ListPqlsSort.QUALIFIED_AT, limit=3)
assert page.total == 7 and page.next_cursor == "more", page
row = page.items[0]
assert row.account_id == "acme" and row.playbook.name == "call" and row.qualified_at == 5000, row
assert list_accounts.sync(client=client).items[0].playbook.queue == "sales"
account = get_account.sync("a/b c", client=client)
assert account.account_id == "a/b c" and account.steps_done[0].weight == 3.0, account
assert account.account_properties.additional_properties["company_size"] == 600
assert [m.type_ for m in get_account_history.sync("acme", client=client).items] == ["signed_up", "step_done"]
rows = list_metrics.sync(client=client, metric=["pqls", "pql_rate"], closed=True)
assert rows.items == [] and rows.as_of is None, rows
assert get_metrics_catalog.sync(client=client).north_star is None
assert get_checklist.sync(client=client).steps
assert list_checklist_versions.sync(client=client).items == []
assert get_status.sync(client=client).stages[0].tasks[0].held_by.topic == "clicks"
problem = list_pqls.sync(client=client, limit=0)
assert isinstance(problem, Problem) and problem.status == 400 and "limit" in problem.detail, problem
wrong = AuthenticatedClient(base_url=sys.argv[1], token="another", raise_on_unexpected_status=True)
assert get_status.sync(client=wrong).status == 401
print("all is well")
`

// A client comes of the description by itself, and works: with a token, and problems in place of exceptions.
func TestAPythonClientCanBeGenerated(t *testing.T) {
	python, err := exec.LookPath("python3")
	require.NoError(t, err, "this test needs Python 3")
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "venv", "bin")+string(os.PathListSeparator)+os.Getenv("PATH"), "PIP_DISABLE_PIP_VERSION_CHECK=1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %v\n%s", name, args, out)
		return string(out)
	}
	run(python, "-m", "venv", "venv")
	in := func(program string) string { return filepath.Join(dir, "venv", "bin", program) }
	run(in("python"), "-m", "pip", "install", "--quiet", clientGenerator)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openapi.yaml"), Description, 0o600))
	// The generator knows no YAML as an answer: the description itself is bytes to it.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "generator.yaml"), []byte("content_type_overrides: {application/yaml: application/octet-stream}\n"), 0o600))
	run(in("openapi-python-client"), "generate", "--path", "openapi.yaml", "--config", "generator.yaml", "--meta", "none",
		"--output-path", "pqlstream_client", "--fail-on-warning")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "asked.py"), []byte(asked), 0o600))

	next, at := "more", int64(5000)
	text, err := os.ReadFile(filepath.Join("..", "..", "config", "checklists", "demo.yaml"))
	require.NoError(t, err)
	p := &parts{t: t, text: string(text), page: inspect.Page{Next: &next, Total: 7, Items: []inspect.Row{{
		AccountID: "acme", Tier: "large", QualifiedAt: &at, Segments: []string{}, StepsDone: []string{}, StepsMissing: []string{},
		Playbook: &inspect.Playbook{Name: "call", Queue: "sales"},
	}}}}
	server := httptest.NewServer(New(Parts{Accounts: p, Metrics: p, Checklists: p, Status: p},
		Limits{Token: token, RequestsPerSecond: 1e6, Streams: 1}, quiet()))
	defer server.Close()
	require.Contains(t, run(in("python"), "asked.py", server.URL, token), "all is well")
}
