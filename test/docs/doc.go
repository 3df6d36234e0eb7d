// Package docs follows what README.md and the pages in docs tell readers to do: it runs their commands, checks their settings and
// checklists, and plays their scenarios. What can't be run here is marked in the page, by a comment above it that says why.
package docs
