package checklist

import (
	"math"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

const maxShare = 1000 // bounds what a ratio step asks for

var ratioKind = Kind{
	Name: "ratio",
	Doc: "Done when usage reaches a share of its limit, such as 80 % of the free quota. A limit of 0 or less is none. Texts that read " +
		"as numbers count as such.\n\n" +
		"Without `adds` an event tells its level: how much is used by then. The first level that reaches the share does the step. " +
		"With `live`, or an account property as the limit, a level counts until the watermark has passed the next one.\n\n" +
		"With `adds` an event tells an amount above 0. Amounts add up over the account's whole life or within a window, and the limit is " +
		"for all of them. A billionth less than the share is enough, because additions round.\n\n" +
		"An account property counts as it stands. An event can tell it beside its level or amount, which is then held against the new " +
		"limit.\n\n" +
		"The order of arrival does not matter within the allowed lateness; for amounts within a window, with a number as the limit, up to " +
		"a disorder of 30 days, 48 hours or 120 minutes.\n\n" +
		"It keeps the newest level, or the newest 8 where levels count until the next one. With `adds` it keeps one number, or with a " +
		"window one for each of its days, hours or minutes and of the disorder before.",
	Fields: []Field{eventField, whereField,
		{Name: "of", Doc: "what is used: `quantity` or `properties.NAME`", Required: true},
		{Name: "to", Doc: "the limit: `account.NAME` (a long or a double), a number above 0, or without `adds` `properties.NAME` of the same events",
			Required: true},
		{Name: "at_least", Doc: "the share of the limit, above 0 and up to 1000: 0.8 for 80 %", Required: true},
		{Name: "adds", Doc: "`true`: each event tells how much was used more", Default: "each event tells how much is used by then"},
		{Name: "within", Doc: withinField.Doc + "; needs `adds`", Default: withinField.Default},
		{Name: "live", Doc: "`true`: the step is undone again when the usage falls below the share; needs `within` if the " +
			"amounts add up", Default: liveField.Default}},
	Example: "{id: near_limit, kind: ratio, event: storage_used, of: quantity, to: properties.storage_limit, at_least: 0.8}",
	build:   func(b *builder) rule { return b.ratio() },
}

func (b *builder) ratio() rule {
	b.onEvent()
	r := ratioRule{target: b.atLeast(maxShare, true), of: b.operand("quantity"), to: b.limit(), live: b.d.Live}
	r.used = r.of.name
	if r.of.property == "" {
		r.used += " of " + b.d.Event.String()
	}
	if b.d.Adds {
		added := addedRule{ratioRule: r, within: b.window()}
		added.used = string(appendWithin([]byte(r.used), added.within))
		if r.to.number > 0 && !r.live {
			return &added
		}
		return &judgedAddedRule{added}
	}
	if b.d.Within != nil {
		b.complain("within", "needs adds: a level holds until the next one, however long that takes")
	}
	if r.live || r.to.account >= 0 {
		return &judgedLevelRule{levelRule{ratioRule: r, keeps: maxLevels}}
	}
	return &levelRule{ratioRule: r, keeps: 1}
}

// limit is what usage is compared to: one of these.
type limit struct {
	name     string  // as it was written
	number   float64 // 0: none
	property string  // of events; empty: none
	account  int     // place of the account property; -1: none
}

// limit checks the step's to.
func (b *builder) limit() limit {
	to, l := b.d.To, limit{name: b.d.To, account: -1}
	if property, is := strings.CutPrefix(to, "properties."); is && property != "" {
		if b.d.Adds {
			b.complain("to", "amounts that add up need a limit that stands for all of them: declare it as an account property, "+
				"and write account.NAME")
		}
		l.property = property
		b.reads(property)
		return l
	}
	if name, is := strings.CutPrefix(to, "account."); is {
		l.account = b.numericProperty(name)
		return l
	}
	number, err := strconv.ParseFloat(to, 64)
	switch {
	case to == "":
		b.complain("to", "is missing")
	case err != nil:
		b.complain("to", "%q is neither properties.NAME nor account.NAME nor a number", to)
	case !(number > 0 && number <= maxAmount):
		b.complain("to", "%v is not above 0 and at most %v", number, maxAmount)
	default:
		l.number = number
		l.name = string(appendNumber(nil, number))
		b.m.To = l.name
		return l
	}
	l.number = 1
	return l
}

const maxAmount = 1e15

// numericProperty finds a declared account property that is a number.
func (b *builder) numericProperty(name string) int {
	for i := range b.out.properties {
		if p := &b.out.properties[i]; p.Name == name {
			if p.Kind != usage.Long && p.Kind != usage.Double {
				b.complain("to", "account.%s is neither a long nor a double", name)
			}
			return i
		}
	}
	b.complain("to", "there is no account property %q", name)
	return 0
}

// per is the share of the limit that a unit is, as far as the account or the definition tells it; 0: there is no limit.
func (l *limit) per(account []usage.Value) float64 {
	switch {
	case l.property != "":
		return 1 // the working set has it
	case l.account < 0:
		return 1 / l.number
	}
	v, _ := asDouble(account[l.account])
	return inverse(v)
}

// told is the share of the limit that a unit is, if the events have the limit and this one tells it.
func (l *limit) told(ev *usage.Event) (per float64, told bool) {
	v, told := asDouble(ev.Property(l.property))
	return inverse(v), told
}

// inverse is 0 for what is no limit.
func inverse(limit float64) float64 {
	if !(limit > 0) {
		return 0
	}
	return min(1/limit, math.MaxFloat64)
}

// ratioRule is what the rules of ratio steps have in common.
type ratioRule struct {
	target float64
	of     operand
	to     limit
	live   bool
	used   string // what is compared with the limit, in words
}

// reaches says whether a share is enough; a billionth less is, since the order of additions can make that much.
func (r *ratioRule) reaches(share float64) bool { return share >= r.target*(1-1e-9) }

func (r *ratioRule) appendNeed(b []byte, have float64) []byte {
	b = appendNumber(append(append(b, r.used...), " is at "...), floored(have*10_000)/100)
	b = append(append(append(b, " % of "...), r.to.name...), ", "...)
	return append(appendNumber(b, math.Round(r.target*1e11)/1e9), " % are needed"...)
}

func (r *ratioRule) traits() traits {
	return traits{target: r.target, readsAccount: r.to.account >= 0}
}
