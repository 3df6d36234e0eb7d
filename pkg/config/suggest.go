package config

import (
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// meant is the rest of a sentence that names what may have been meant by a name that there is not; empty when nothing is near.
func meant(name string, known iter.Seq[string]) string {
	if near := nearest(name, slices.Collect(known)); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// nearest is the known name that the fewest letters tell from another, empty when that are too many for a slip.
func nearest(name string, known []string) string {
	best, least := "", min(3, len(name)/3+1)+1
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	return best
}

// distance counts the letters to be put in, taken out, replaced, or swapped with their neighbour, to make one text of another.
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

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
			p.add(name, "the variable of the environment is no setting%s", meant(name, maps.Keys(known)))
		}
	}
}
