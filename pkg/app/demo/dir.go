package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pqlstream/pqlstream/pkg/simulate"
)

// sizes are what a demo's data depends on.
type sizes struct {
	Seed     uint64 `json:"seed"`
	Accounts int    `json:"accounts"`
	Days     int    `json:"days"`
}

// openDir prepares a folder that keeps a demo and returns the one in it for Kafka. A folder that keeps a demo of other
// sizes is refused.
func openDir(dir string, o simulate.Options) (kafka string, err error) {
	if dir == "" {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of the demo: %w", err)
	}
	want := sizes{o.Seed, o.Accounts, o.Days}
	path := filepath.Join(dir, "demo.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, _ = json.Marshal(want) // numbers: it can't fail
		err = os.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("opening the folder of the demo: %w", err)
	}
	var has sizes
	if err := json.Unmarshal(text, &has); err != nil {
		return "", fmt.Errorf("%s does not say which demo the folder keeps: %w", path, err)
	}
	if has != want {
		return "", fmt.Errorf("%s keeps the demo of seed %d with %d accounts over %d days: ask for the same, or for another folder",
			dir, has.Seed, has.Accounts, has.Days)
	}
	return filepath.Join(dir, "kafka"), nil
}
