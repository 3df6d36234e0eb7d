package codec

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
)

// randomType is a random Avro type; schema is its JSON, where a named type that was defined before is its name.
type randomType struct {
	kind     string // as in Avro, or union
	logical  string
	name     string // full name of a named type
	fields   []randomField
	items    *randomType // of an array or a map
	branches []*randomType
	symbols  []string
	size     int
	keys     []string // a map's likely keys
}

type randomField struct {
	name string
	typ  *randomType
}

// generator makes random schemas, and records of them.
type generator struct {
	*rand.Rand
	names   int
	defined []*randomType // complete records, to be referred to
}

func (g *generator) name(prefix string) string {
	g.names++
	return fmt.Sprintf("%s%d", prefix, g.names)
}

func (g *generator) pick(kinds ...string) string { return kinds[g.IntN(len(kinds))] }

// simple returns a primitive or a logical type of one.
func (g *generator) simple(kinds ...string) *randomType {
	t := &randomType{kind: g.pick(kinds...)}
	if t.kind == "long" {
		t.logical = g.pick("", "", "timestamp-millis", "timestamp-micros")
	}
	switch t.kind {
	case "enum":
		t.name, t.symbols = "test."+g.name("E"), []string{"A", "B", "C"}
	case "fixed":
		t.name, t.size = "test."+g.name("F"), g.IntN(20)+1
	}
	return t
}

// any returns any type at all, to be passed over.
func (g *generator) any(depth int) *randomType {
	if depth == 0 || g.IntN(3) == 0 {
		return g.simple("null", "boolean", "int", "long", "float", "double", "string", "bytes", "enum", "fixed")
	}
	switch g.IntN(5) {
	case 0:
		return &randomType{kind: "array", items: g.any(depth - 1)}
	case 1:
		return &randomType{kind: "map", items: g.any(depth - 1)}
	case 2:
		return &randomType{kind: "union", branches: []*randomType{{kind: "null"}, g.nonUnion(depth - 1)}}
	case 3:
		if len(g.defined) > 0 {
			return g.defined[g.IntN(len(g.defined))]
		}
	}
	return g.record(depth)
}

func (g *generator) nonUnion(depth int) *randomType {
	for {
		if t := g.any(depth); t.kind != "union" && t.kind != "null" {
			return t
		}
	}
}

// record returns a record of anything, which may hold itself.
func (g *generator) record(depth int) *randomType {
	t := &randomType{kind: "record", name: "test." + g.name("R")}
	for range g.IntN(5) {
		t.fields = append(t.fields, randomField{g.name("x"), g.any(depth - 1)})
	}
	switch g.IntN(4) {
	case 0:
		t.fields = append(t.fields, randomField{g.name("x"), &randomType{kind: "array", items: t}})
	case 1:
		t.fields = append(t.fields, randomField{g.name("x"), &randomType{kind: "union", branches: []*randomType{{kind: "null"}, t}}})
	}
	g.defined = append(g.defined, t)
	return t
}

// schema returns a type's JSON; defined are the names that have been.
func (t *randomType) schema(defined map[string]bool) any {
	if defined[t.name] {
		return t.name
	}
	if t.name != "" {
		defined[t.name] = true
	}
	switch t.kind {
	case "record":
		fields := []any{}
		for _, f := range t.fields {
			fields = append(fields, map[string]any{"name": f.name, "type": f.typ.schema(defined)})
		}
		return map[string]any{"type": "record", "name": t.name, "fields": fields}
	case "enum":
		return map[string]any{"type": "enum", "name": t.name, "symbols": t.symbols}
	case "fixed":
		return map[string]any{"type": "fixed", "name": t.name, "size": t.size}
	case "array":
		return map[string]any{"type": "array", "items": t.items.schema(defined)}
	case "map":
		return map[string]any{"type": "map", "values": t.items.schema(defined)}
	case "union":
		branches := []any{}
		for _, b := range t.branches {
			branches = append(branches, b.schema(defined))
		}
		return branches
	}
	if t.logical != "" {
		return map[string]any{"type": t.kind, "logicalType": t.logical}
	}
	return t.kind
}

func (t *randomType) String() string {
	b, err := json.Marshal(t.schema(map[string]bool{}))
	if err != nil {
		panic(err)
	}
	return string(b)
}

// append encodes a random value of a type, blocks with and without their size in it.
func (g *generator) append(b []byte, t *randomType, depth int) []byte {
	switch t.kind {
	case "boolean":
		return append(b, byte(g.IntN(2)))
	case "int":
		return binary.AppendVarint(b, int64(int32(g.Uint32()>>g.IntN(32))))
	case "long":
		if t.logical != "" {
			return binary.AppendVarint(b, g.Int64N(4_000_000_000_000_000)-1_000_000_000)
		}
		return binary.AppendVarint(b, int64(g.Uint64()>>g.IntN(64)))
	case "float":
		return binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(g.NormFloat64())))
	case "double":
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(g.NormFloat64()*1e6))
	case "string", "bytes":
		return appendText(b, g.text())
	case "enum":
		return binary.AppendVarint(b, int64(g.IntN(len(t.symbols))))
	case "fixed":
		for range t.size {
			b = append(b, byte(g.Uint32()))
		}
		return b
	case "record":
		for _, f := range t.fields {
			b = g.append(b, f.typ, depth-1)
		}
		return b
	case "union":
		i := g.IntN(len(t.branches))
		if depth <= 0 {
			i = 0
		}
		return g.append(binary.AppendVarint(b, int64(i)), t.branches[i], depth-1)
	case "array", "map":
		return g.appendBlocks(b, t, depth)
	}
	return b
}

func (g *generator) appendBlocks(b []byte, t *randomType, depth int) []byte {
	keys := append([]string(nil), t.keys...)
	for range g.IntN(4) {
		keys = append(keys, g.name("k"))
	}
	g.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	if depth <= 0 {
		keys = nil
	}
	for len(keys) > 0 {
		n := g.IntN(len(keys)) + 1
		var items []byte
		for _, key := range keys[:n] {
			if t.kind == "map" {
				items = appendText(items, key)
			}
			items = g.append(items, t.items, depth-1)
		}
		keys = keys[n:]
		if g.IntN(2) == 0 {
			b = binary.AppendVarint(b, int64(n))
		} else {
			b = binary.AppendVarint(binary.AppendVarint(b, int64(-n)), int64(len(items)))
		}
		b = append(b, items...)
	}
	return append(b, 0)
}

func (g *generator) text() string {
	return g.pick("", "a", "Zürich", "日本", "a longer text of some more bytes than sixty-four, so that its length takes two")
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendVarint(b, int64(len(s))), s...)
}
