package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/spelling"
)

// ofServices are the names of the variables that Kubernetes and Docker put into a process for services whose names begin with ours, such as
// PQLSTREAM_SERVICE_HOST and PQLSTREAM_API_PORT_7480_TCP_ADDR; and what begins the one that could be a setting, PQLSTREAM_PORT.
var (
	ofServices  = regexp.MustCompile(`^` + EnvPrefix + `(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)
	portOf      = regexp.MustCompile(`^` + EnvPrefix + `(_[A-Z0-9_]+)?_PORT$`)
	portAddress = regexp.MustCompile(`^(tcp|udp|sctp)://`)
)

// checkVariables refuses variables of the environment, each name=value, whose names begin as those of settings do and that set none.
func checkVariables(environment []string, p *Problems) {
	known, inFile := map[string]bool{}, map[string]string{}
	for _, s := range Settings() {
		if s.Env != "" {
			known[s.Env] = true
		} else if !strings.Contains(s.Path, "[") {
			inFile[envName(s.Path)] = s.Path
		}
	}
	for _, pair := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case value == "" || !strings.HasPrefix(name, EnvPrefix+"_") || known[name]:
		case ofServices.MatchString(name) || portOf.MatchString(name) && portAddress.MatchString(value):
		case inFile[name] != "":
			p.add(name, "the setting %s can be set in the file only", inFile[name])
		default:
			p.add(name, "the variable of the environment is no setting%s", spelling.Meant(name, maps.Keys(known)))
		}
	}
}
