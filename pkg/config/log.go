package config

// Log says what the process writes to its standard error.
type Log struct {
	// The least severity that is written: debug, info, warn or error.
	Level string `mapstructure:"level"`
	// text or json.
	Format string `mapstructure:"format"`
}

func (l *Log) validate(p *Problems, at string) {
	oneOf(p, at+".level", l.Level, "debug", "info", "warn", "error")
	oneOf(p, at+".format", l.Format, "text", "json")
}
