package codec

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/linkedin/goavro/v2"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Random records of random schemas read the same with goavro, a naive mapping of what it returns, and the compiled
// programs.
func TestAvroReadsAsGoavroDoes(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 60
	}
	read, rejected := 0, 0
	for seed := range seeds {
		g := &generator{Rand: rand.New(rand.NewPCG(uint64(seed), 1))}
		c := g.mappedSchema()
		codec, err := goavro.NewCodec(c.root.String())
		require.NoError(t, err, "seed %d: %s", seed, c.root)
		in, err := NewInput(Avro, c.mapping, Schemas{7: c.root.String()})
		require.NoError(t, err)
		d := in.Decoder()
		for range 8 {
			body := g.append(nil, c.root, 6)
			native, rest, err := codec.NativeFromBinary(body)
			require.NoError(t, err, "seed %d: %s", seed, c.root)
			require.Empty(t, rest)
			again, err := codec.BinaryFromNative(nil, native)
			require.NoError(t, err)

			want, ok := c.naive(native)
			for _, b := range [][]byte{body, again} {
				var got usage.Event
				value := append([]byte{0, 0, 0, 0, 7}, b...)
				err := d.Decode(t.Context(), value, &got)
				requireSameCore(t, in.Decoder(), value, &got, err)
				if !ok {
					var reject *usage.Error
					require.ErrorAs(t, err, &reject, "seed %d: %s", seed, c.root)
					require.True(t, strings.HasSuffix(reject.Code, "_wrong_type"), reject.Code)
					rejected++
					continue
				}
				require.NoError(t, err, "seed %d: %s", seed, c.root)
				sortProperties(&got)
				require.Equal(t, want, got, "seed %d: %s", seed, c.root)
				read++
			}
		}
	}
	t.Logf("%d records read, %d rejected", read, rejected)
	require.Greater(t, read, rejected)
	require.Positive(t, rejected)
}

func sortProperties(e *usage.Event) {
	slices.SortFunc(e.Properties, func(a, b usage.Property) int { return strings.Compare(a.Key, b.Key) })
	if len(e.Properties) == 0 {
		e.Properties = nil
	}
}

// mappedSchema is a random schema and where in it the canonical fields are.
type mappedSchema struct {
	root    *randomType
	mapping usage.Mapping
}

func (g *generator) mappedSchema() *mappedSchema {
	c := &mappedSchema{root: &randomType{kind: "record", name: "test.Root"}}
	text := []string{"string", "string", "bytes", "enum"}
	numbers := []string{"int", "float", "double"}
	moment := &randomType{kind: "long", logical: g.pick("", "timestamp-millis", "timestamp-micros")}
	c.mapping.AccountID = g.place(c.root, g.perhapsUnion(g.simple(text...)))
	c.mapping.Event = g.place(c.root, g.perhapsUnion(g.simple(text...)))
	c.mapping.OccurredAt = g.place(c.root, g.perhapsUnion(moment))
	c.mapping.UserID = g.place(c.root, g.perhapsUnion(g.simple(text...)))
	c.mapping.Source = c.mapping.UserID
	c.mapping.Quantity = g.place(c.root, g.perhapsUnion(g.simple(numbers...)))
	c.mapping.EventID = usage.Path{"nowhere"}
	c.mapping.Properties = g.place(c.root, g.propertiesType())
	for range g.IntN(3) {
		path := g.place(c.root, g.propertyType())
		c.mapping.Single = append(c.mapping.Single, usage.PropertyPath{Key: g.name("single"), Path: path})
	}
	for range g.IntN(6) {
		c.root.fields = append(c.root.fields, randomField{g.name("x"), g.any(3)})
	}
	g.Shuffle(len(c.root.fields), func(i, j int) { c.root.fields[i], c.root.fields[j] = c.root.fields[j], c.root.fields[i] })
	return c
}

// place puts a type somewhere in a record: as a field of it, of a record or a map in it, or of one in a union in it.
func (g *generator) place(in *randomType, t *randomType) usage.Path {
	name := g.name("f")
	field := randomField{name, t}
	if len(in.fields) > 6 || g.IntN(2) == 0 {
		in.fields = append(in.fields, field)
		return usage.Path{name}
	}
	var inner *randomType
	var path usage.Path
	if g.IntN(3) == 0 {
		inner, path = &randomType{kind: "map", items: t, keys: []string{name}}, usage.Path{name}
	} else {
		inner = g.record(2)
		g.defined = g.defined[:len(g.defined)-1] // placed once only
		path = g.place(inner, t)
	}
	outer := g.name("f")
	in.fields = append(in.fields, randomField{outer, g.perhapsNullable(inner)})
	return append(usage.Path{outer}, path...)
}

func (g *generator) perhapsNullable(t *randomType) *randomType {
	if g.IntN(2) == 0 {
		return t
	}
	branches := []*randomType{{kind: "null"}, t}
	if g.IntN(2) == 0 {
		slices.Reverse(branches)
		branches = append(branches, &randomType{kind: "fixed", name: "test." + g.name("F"), size: 3})
	}
	return &randomType{kind: "union", branches: branches}
}

// perhapsUnion makes a value one of a union, some branch of which may be of a type that the field can't have.
func (g *generator) perhapsUnion(t *randomType) *randomType {
	if g.IntN(2) == 0 {
		return t
	}
	u := &randomType{kind: "union", branches: []*randomType{{kind: "null"}, t}}
	if g.IntN(4) == 0 {
		u.branches = append(u.branches, &randomType{kind: "boolean"})
	}
	return u
}

func (g *generator) propertyType() *randomType {
	if g.IntN(2) == 0 {
		return g.simple("boolean", "int", "long", "float", "double", "string", "bytes", "enum")
	}
	return &randomType{kind: "union", branches: []*randomType{
		{kind: "null"}, {kind: "boolean"}, {kind: "long"}, {kind: "double"}, {kind: "string"}, g.simple("enum"),
	}}
}

func (g *generator) propertiesType() *randomType {
	if g.IntN(2) == 0 {
		return g.perhapsNullable(&randomType{kind: "map", items: g.propertyType()})
	}
	t := &randomType{kind: "record", name: "test." + g.name("P")}
	for range g.IntN(5) {
		t.fields = append(t.fields, randomField{g.name("p"), g.propertyType()})
	}
	return g.perhapsNullable(t)
}

// naive maps what goavro returns; not ok when some field has a value that it can't have.
func (c *mappedSchema) naive(native any) (e usage.Event, ok bool) {
	m := c.mapping
	text := func(p usage.Path) (s string) {
		v, t := follow(native, c.root, p)
		switch v := v.(type) {
		case nil:
		case string:
			s = v
		case []byte:
			s = string(v)
			ok = ok && t.kind == "bytes"
		default:
			ok = false
		}
		return s
	}
	ok = true
	e.AccountID, e.Name, e.UserID, e.Source = text(m.AccountID), text(m.Event), text(m.UserID), text(m.Source)
	v, t := follow(native, c.root, m.OccurredAt)
	if at := naiveMillis(v, t); at != nil {
		e.OccurredAt = *at
	} else if v != nil {
		ok = false
	}
	switch v, _ := follow(native, c.root, m.Quantity); v := v.(type) {
	case nil:
	case int32:
		e.Quantity = float64(v)
	case float32:
		e.Quantity = float64(v)
	case float64:
		e.Quantity = v
	default:
		ok = false
	}
	ok = c.naiveProperties(native, &e) && ok
	sortProperties(&e)
	return e, ok
}

func (c *mappedSchema) naiveProperties(native any, e *usage.Event) bool {
	v, t := follow(native, c.root, c.mapping.Properties)
	entries, ok := v.(map[string]any)
	if v != nil && !ok {
		return false
	}
	for key, v := range entries {
		v, vt := followIn(v, t, key)
		e.Properties = append(e.Properties, usage.Property{Key: key, Value: naiveValue(v, vt)})
	}
	for _, single := range c.mapping.Single {
		if v, t := follow(native, c.root, single.Path); t != nil {
			e.Properties = append(e.Properties, usage.Property{Key: single.Key, Value: naiveValue(v, t)})
		}
	}
	return true
}

// follow returns the value at the end of a path and its type, nil when there is none.
func follow(v any, t *randomType, path usage.Path) (any, *randomType) {
	v, t = unwrap(v, t)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, nil
		}
		if _, ok := m[name]; !ok {
			return nil, nil
		}
		v, t = followIn(m[name], t, name)
	}
	return v, t
}

// followIn returns a record's field or a map's value, and its type.
func followIn(v any, t *randomType, name string) (any, *randomType) {
	if t.kind == "map" {
		return unwrap(v, t.items)
	}
	i := slices.IndexFunc(t.fields, func(f randomField) bool { return f.name == name })
	return unwrap(v, t.fields[i].typ)
}

// unwrap takes a union's value out of the map that says which branch it is.
func unwrap(v any, t *randomType) (any, *randomType) {
	if t.kind != "union" {
		return v, t
	}
	for _, b := range t.branches {
		name := b.kind
		if b.name != "" {
			name = b.name
		}
		if b.logical != "" {
			name += "." + b.logical
		}
		if v == nil && b.kind == "null" {
			return nil, b
		}
		if m, ok := v.(map[string]any); ok && v != nil {
			if inner, ok := m[name]; ok {
				return inner, b
			}
		}
	}
	panic("no branch")
}

func naiveMillis(v any, t *randomType) *int64 {
	var ms int64
	switch v := v.(type) {
	case time.Time:
		ms = v.UnixMilli()
	case int64:
		ms = v
	default:
		return nil
	}
	return &ms
}

func naiveValue(v any, t *randomType) usage.Value {
	switch v := v.(type) {
	case bool:
		return usage.BoolValue(v)
	case int32:
		return usage.LongValue(int64(v))
	case int64:
		return usage.LongValue(v)
	case time.Time: // properties keep the number
		if t.logical == "timestamp-micros" {
			return usage.LongValue(v.UnixMicro())
		}
		return usage.LongValue(v.UnixMilli())
	case float32:
		return usage.DoubleValue(float64(v))
	case float64:
		return usage.DoubleValue(v)
	case string:
		return usage.StringValue(v)
	case []byte:
		return usage.StringValue(string(v))
	}
	return usage.Value{}
}
