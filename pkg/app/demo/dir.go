package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/pqlstream/pqlstream/pkg/simulate"
)

// sizes are what a demo's data depends on.
type sizes struct {
	Seed     uint64 `json:"seed"`
	Accounts int    `json:"accounts"`
	Days     int    `json:"days"`
	Epoch    string `json:"epoch"` // the day that the data begins on
	Until    int64  `json:"until"` // when its history ends, ms since the Unix epoch
}

// openDir prepares a folder that keeps a demo and returns the one in it for Kafka. The data becomes that of the folder, which is refused when it
// keeps a demo of other sizes.
func openDir(dir string, d *data) (kafka string, err error) {
	if dir == "" {
		return "", nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of the demo: %w", err)
	}
	o := d.sample.Options()
	want := sizes{o.Seed, o.Accounts, o.Days, o.Epoch.Format(time.DateOnly), d.until()}
	path := filepath.Join(dir, "demo.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		text, _ = json.Marshal(want) // numbers and a day: it can't fail
		err = os.WriteFile(path, append(text, '\n'), 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("opening the folder of the demo: %w", err)
	}
	var has sizes
	if err := json.Unmarshal(text, &has); err != nil {
		return "", fmt.Errorf("%s does not say which demo the folder keeps: %w", path, err)
	}
	epoch, err := time.Parse(time.DateOnly, has.Epoch)
	if err != nil {
		return "", fmt.Errorf("%s does not say when the demo begins that the folder keeps: %w", path, err)
	}
	if !d.past {
		want.Epoch, want.Until = has.Epoch, has.Until // it ended when the first demo of the folder began
	}
	if has != want {
		return "", fmt.Errorf("%s keeps the demo of seed %d with %d accounts over %d days from %s on: ask for the same, or for another folder",
			dir, has.Seed, has.Accounts, has.Days, has.Epoch)
	}
	o.Epoch, o.End = epoch, time.UnixMilli(has.Until)
	d.sample, err = simulate.New(o)
	return filepath.Join(dir, "kafka"), err
}
