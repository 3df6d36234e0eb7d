package checklist

import (
	"math"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// operand is what a step takes from an event: one of its fields, or a property.
type operand struct {
	name     string // as written
	property string // empty: the field
}

// parseOperand reads a step's of: the given field of the event, or properties.NAME.
func parseOperand(of, field string, p *problems, path string) operand {
	property, isProperty := strings.CutPrefix(of, "properties.")
	if of != field && (!isProperty || property == "") {
		p.add(path+".of", "%q is neither %s nor properties.NAME", of, field)
	}
	if !isProperty {
		return operand{name: of}
	}
	return operand{name: of, property: property}
}

// text returns the operand of an event whose field is the user's id; it may alias the event's memory.
func (o operand) text(ev *usage.Event) string {
	if o.property == "" {
		return ev.UserID
	}
	v := ev.Property(o.property)
	if v.Kind() == usage.Null {
		return ""
	}
	return v.String()
}

// number returns the operand of an event whose field is the quantity.
func (o operand) number(ev *usage.Event) (float64, bool) {
	if o.property == "" {
		return ev.Quantity, isFinite(ev.Quantity)
	}
	return asDouble(ev.Property(o.property))
}

func isFinite(f float64) bool { return !math.IsNaN(f) && !math.IsInf(f, 0) }

// asDouble reads a finite number, also from a text: sources with text properties only are common.
func asDouble(v usage.Value) (float64, bool) {
	switch v.Kind() {
	case usage.Long:
		return float64(v.Long()), true
	case usage.Double:
		return v.Double(), isFinite(v.Double())
	case usage.String:
		f, err := strconv.ParseFloat(v.Str(), 64)
		return f, err == nil && isFinite(f)
	}
	return 0, false
}

// asLong reads a whole number, also from a text.
func asLong(v usage.Value) (int64, bool) {
	switch v.Kind() {
	case usage.Long:
		return v.Long(), true
	case usage.Double:
		f := v.Double()
		return int64(f), f == math.Trunc(f) && math.Abs(f) <= 1<<53
	case usage.String:
		n, err := strconv.ParseInt(v.Str(), 10, 64)
		return n, err == nil
	}
	return 0, false
}

func asBool(v usage.Value) (value, ok bool) {
	switch {
	case v.Kind() == usage.Bool:
		return v.Bool(), true
	case v.Kind() == usage.String && v.Str() == "true":
		return true, true
	case v.Kind() == usage.String && v.Str() == "false":
		return false, true
	}
	return false, false
}
