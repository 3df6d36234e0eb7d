// Package checklists holds the example checklists, those that the program itself needs embedded in the binary.
package checklists

import _ "embed"

// Demo is the checklist of the sample data.
//
//go:embed demo.yaml
var Demo []byte
