package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"

	"github.com/pqlstream/pqlstream/pkg/spelling"
)

// EnvPrefix begins the names of all environment variables that are settings: kafka.brokers is PQLSTREAM_KAFKA_BROKERS.
const EnvPrefix = "PQLSTREAM"

// Load reads the settings from the YAML file at path (none when path is empty), the environment and overrides, which
// are values by setting, such as kafka.client_id. It reads the files that hold passwords as well.
//
// All mistakes are reported at once: the error wraps Problems, or an Unreadable that says why the file can't be read.
func Load(path string, overrides map[string]string) (*Config, error) {
	v := viper.New()
	v.SetConfigType("yaml")
	var problems Problems
	if path != "" {
		file, err := os.ReadFile(path)
		if err != nil {
			return nil, unreadable("reading the settings: %w", err)
		}
		if err := v.ReadConfig(bytes.NewReader(file)); err != nil {
			return nil, malformed(path, err)
		}
		problems = checkKeys(file)
	}
	bind(v, overrides, &problems)
	checkVariables(os.Environ(), &problems)
	c := decode(v, &problems)
	if len(problems) == 0 { // otherwise what was misread would be reported as missing
		c.validate(&problems)
		c.readSecrets(&problems)
	}
	if len(problems) > 0 {
		return nil, problems.in(path)
	}
	return c, nil
}

// quoted is what the reader of YAML quotes of values.
var quoted = regexp.MustCompile("(anchor )'[^']*'|`.*`")

// malformed says why a file can't be read. It quotes no value of the file: that may be a secret.
func malformed(path string, err error) error {
	if parsing, is := errors.AsType[viper.ConfigParseError](err); is {
		err = parsing.Unwrap() // what the reader of YAML says, without viper's words
	}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	return unreadable("reading the settings in %s: %s", path, quoted.ReplaceAllString(text, "$1(a value)"))
}

// in names the file that the problems were found in.
func (p Problems) in(path string) error {
	if path == "" {
		return fmt.Errorf("the settings are not valid, and no file with settings was named (--config FILE):\n%w", p)
	}
	return fmt.Errorf("the settings in %s are not valid:\n%w", path, p)
}

// bind makes the environment and the overrides known to viper, setting by setting: viper would not find an environment
// variable whose setting is neither in the file nor bound.
func bind(v *viper.Viper, overrides map[string]string, p *Problems) {
	known := map[string]bool{}
	for _, s := range Settings() {
		if s.Env == "" {
			continue
		}
		known[s.Path] = true
		if err := v.BindEnv(s.Path, s.Env); err != nil {
			p.add(s.Path, "%v", err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(overrides)) {
		if !known[key] {
			p.add(key, "there is no such setting, or it can be set in the file only%s", spelling.Meant(key, maps.Keys(known)))
			continue
		}
		v.Set(key, overrides[key])
	}
}

func decode(v *viper.Viper, p *Problems) *Config {
	c := Default()
	err := v.Unmarshal(c, func(d *mapstructure.DecoderConfig) {
		d.WeaklyTypedInput = false
		d.ZeroFields = true // a list replaces the default list, it is not laid over it
		d.DecodeHook = decodeText
	})
	p.addDecoding(err)
	return c
}

// addDecoding adds each of the decoder's errors, which come as a tree.
func (p *Problems) addDecoding(err error) {
	var several interface{ Unwrap() []error }
	var one *mapstructure.DecodeError
	switch {
	case err == nil:
	case errors.As(err, &several):
		for _, e := range several.Unwrap() {
			p.addDecoding(e)
		}
	case errors.As(err, &one):
		if !p.has(one.Name()) { // the check of keys says it with the line
			p.add(one.Name(), "%s", explainDecoding(one.Unwrap()))
		}
	default:
		p.add("the settings", "%v", err)
	}
}

// explainDecoding replaces the decoder's words, which are Go's, by the reader's. It names no value: it may be a secret.
func explainDecoding(err error) string {
	var mismatch *mapstructure.UnconvertibleTypeError
	switch {
	case errors.As(err, &mismatch):
		return fmt.Sprintf("it is %s, not %s", yamlKind(mismatch.Value), typeName(mismatch.Expected.Type()))
	case strings.HasPrefix(err.Error(), "source data must be an array or slice"):
		return "it is not a list"
	}
	return err.Error()
}

// readSecrets replaces the files that hold passwords by the passwords.
func (c *Config) readSecrets(p *Problems) {
	for _, s := range []struct {
		path, file string
		password   *Secret
	}{
		{"kafka.sasl.password", c.Kafka.SASL.PasswordFile, &c.Kafka.SASL.Password},
		{"redis.password", c.Redis.PasswordFile, &c.Redis.Password},
		{"registry.password", c.Registry.PasswordFile, &c.Registry.Password},
		{"api.token", c.API.TokenFile, &c.API.Token},
		{"tracing.headers", c.Tracing.HeadersFile, &c.Tracing.Headers},
	} {
		if s.file == "" {
			continue
		}
		if *s.password != "" {
			p.add(s.path+"_file", "not together with %s", s.path[strings.LastIndexByte(s.path, '.')+1:])
			continue
		}
		text, err := os.ReadFile(s.file)
		password := strings.TrimRight(string(text), "\r\n")
		switch {
		case err != nil:
			p.add(s.path+"_file", "%v", err)
		case password == "":
			p.add(s.path+"_file", "%s is empty", s.file)
		case s.path == "api.token":
			checkToken(p, s.path+"_file", Secret(password))
		case s.path == "tracing.headers":
			checkHeaders(p, s.path+"_file", Secret(password))
		}
		*s.password = Secret(password)
	}
}
