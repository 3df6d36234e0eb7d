package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/scenario"
)

// scenarioFiles are the files to run.
type scenarioFiles struct {
	names  []string
	unread []*scenario.Problem // folders
}

// add adds the file that a path names, or those in the folder that it names and below; each once.
func (f *scenarioFiles) add(path string) error {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	if err != nil {
		return &config.Unreadable{Err: fmt.Errorf("looking for scenarios: %w", err)}
	}
	if !info.IsDir() {
		f.file(path)
		return nil
	}
	if found := f.folder(path, map[string]bool{}); !found {
		return &config.Unreadable{Err: fmt.Errorf("there is no file in %s whose name ends with %s", path, scenario.Extension)}
	}
	return nil
}

func (f *scenarioFiles) file(name string) {
	if !slices.Contains(f.names, name) {
		f.names = append(f.names, name)
	}
}

// folder adds what lies in a folder and below, also behind symbolic links, which may lead in circles: entered holds the
// folders that it was in.
func (f *scenarioFiles) folder(path string, entered map[string]bool) (found bool) {
	place, err := filepath.EvalSymlinks(path)
	if err == nil && entered[place] {
		return false
	}
	entered[place] = true
	entries, err := os.ReadDir(path)
	if err != nil {
		f.unread = append(f.unread, unreadable(path, "folder", err))
		return true
	}
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		switch {
		case isFolder(name, e):
			found = f.folder(name, entered) || found
		case filepath.Ext(name) == scenario.Extension:
			f.file(name)
			found = true
		}
	}
	return found
}

func isFolder(name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(name)
	return err == nil && info.IsDir()
}

// unreadable says why a file or a folder can't be read.
func unreadable(name, what string, err error) *scenario.Problem {
	if at, is := errors.AsType[*fs.PathError](err); is { // whose name is said anyway
		err = at.Err
	}
	return &scenario.Problem{File: filepath.ToSlash(name), Message: fmt.Sprintf("reading the %s: %v", what, err)}
}
