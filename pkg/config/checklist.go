package config

import "github.com/pqlstream/pqlstream/pkg/checklist"

// CheckWith holds the settings against the checklist that they name. It returns all that does not fit as Problems.
func (c *Config) CheckWith(list *checklist.Checklist) error {
	var p Problems
	c.checkDimensions(&p, list)
	for _, e := range c.identityEvents() {
		if list.Listener(e.name) != nil {
			p.add(e.path, "%q is an event that %s listens to: events that ask for something are no usage, and count for no step", e.name, c.Checklist)
		}
	}
	return p.err()
}
