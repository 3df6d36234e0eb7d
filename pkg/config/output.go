package config

// Output says what is written.
type Output struct {
	// How PQL events are encoded: avro (in the registry's wire format) or json.
	Format Format `mapstructure:"format"`
	// Write escalations to the topic of PQL events too. They are in the lifecycle topic in any case.
	Escalations bool `mapstructure:"escalations"`
	// Write the topic of every transition, steps included. It is most of what is written. The metrics can do without it.
	Lifecycle bool `mapstructure:"lifecycle"`
	// Write the topic with one row for each account that is a PQL now.
	Current bool `mapstructure:"current"`
}

func (o *Output) validate(p *Problems, at string) {
	oneOf(p, at+".format", o.Format, Avro, JSON)
}
