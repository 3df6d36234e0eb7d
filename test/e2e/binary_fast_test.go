//go:build !slow

package e2e

var buildFlags []string
