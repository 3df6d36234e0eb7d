package config

// Output says what is written.
type Output struct {
	// How PQL events are encoded: avro (in the registry's wire format) or json.
	Format Format `mapstructure:"format"`
	// Write escalations to the topic of PQL events too. They are in the lifecycle topic in any case.
	Escalations bool `mapstructure:"escalations"`
}

func (o *Output) validate(p *Problems, at string) {
	oneOf(p, at+".format", o.Format, Avro, JSON)
}
