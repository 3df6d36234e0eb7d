package checklist

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// JSONSchema returns the JSON Schema (draft 2020-12) of a checklist's file, by which editors complete and check it. It
// knows the fields, their types and names; what they mean together is Compile's to check.
func JSONSchema() ([]byte, error) {
	root := partSchema(&parts[0])
	root.Dialect, root.Title = "https://json-schema.org/draft/2020-12/schema", "pqlstream checklist"
	root.AnyOf = []*schema{{Required: []string{"preset"}}, {Required: []string{"tiers"}}}
	for i := range parts[1:] {
		p := &parts[1+i]
		root.Defs = append(root.Defs, namedSchema{p.Name, partSchema(p)})
	}
	root.Defs = append(root.Defs, sharedSchemas...)
	for i := range kinds {
		root.Defs = append(root.Defs, namedSchema{"step_" + kinds[i].Name, kindSchema(&kinds[i])})
	}
	text, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing the schema: %w", err)
	}
	return append(text, '\n'), nil
}

// schema is a JSON Schema, or a part of one.
type schema struct {
	Dialect     string   `json:"$schema,omitempty"`
	Title       string   `json:"title,omitempty"`
	Description string   `json:"description,omitempty"`
	Ref         string   `json:"$ref,omitempty"`
	Type        any      `json:"type,omitempty"` // a name or several
	Const       any      `json:"const,omitempty"`
	Enum        []string `json:"enum,omitempty"`
	Pattern     string   `json:"pattern,omitempty"`
	MinLength   int      `json:"minLength,omitempty"`
	MaxLength   int      `json:"maxLength,omitempty"`
	Minimum     *float64 `json:"minimum,omitempty"`
	Above       *float64 `json:"exclusiveMinimum,omitempty"`
	Maximum     *float64 `json:"maximum,omitempty"`
	MinItems    int      `json:"minItems,omitempty"`
	MaxItems    int      `json:"maxItems,omitempty"`
	Unique      bool     `json:"uniqueItems,omitempty"`
	Items       *schema  `json:"items,omitempty"`

	Properties schemas   `json:"properties,omitempty"`
	Required   []string  `json:"required,omitempty"`
	Additional *bool     `json:"additionalProperties,omitempty"`
	AnyOf      []*schema `json:"anyOf,omitempty"`
	AllOf      []*schema `json:"allOf,omitempty"`
	If         *schema   `json:"if,omitempty"`
	Then       *schema   `json:"then,omitempty"`
	Defs       schemas   `json:"$defs,omitempty"`
}

// schemas are an object of schemas that keeps its order.
type schemas []namedSchema

type namedSchema struct {
	name string
	*schema
}

// MarshalJSON writes an object.
func (s schemas) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, named := range s {
		if i > 0 {
			b.WriteByte(',')
		}
		text, err := json.Marshal(named.schema)
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q:%s", named.name, text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// partSchema is the schema of one part of a definition, made from its struct's fields.
func partSchema(p *Part) *schema {
	s := &schema{Description: p.Doc, Type: "object"}
	for _, f := range reflect.VisibleFields(p.of) {
		name := yamlName(f)
		i := slices.IndexFunc(p.Fields, func(d Field) bool { return d.Name == name })
		if i < 0 { // a step's, that some kinds have
			continue
		}
		s.add(&p.Fields[i], fieldSchema(p.Name+"."+name, f.Type))
	}
	if p.of != reflect.TypeFor[StepDef]() {
		s.Additional = new(bool)
		return s
	}
	for _, k := range kinds {
		s.AllOf = append(s.AllOf, &schema{
			If:   &schema{Properties: schemas{{"kind", &schema{Const: k.Name}}}, Required: []string{"kind"}},
			Then: &schema{Ref: "#/$defs/step_" + k.Name},
		})
	}
	return s
}

// kindSchema is the schema of a step of one kind, which has those fields only.
func kindSchema(k *Kind) *schema {
	s := &schema{Description: k.Doc + "\n\nExample: " + k.Example, Type: "object", Additional: new(bool)}
	for _, shared := range stepPart().Fields {
		s.Properties = append(s.Properties, namedSchema{shared.Name, &schema{}})
	}
	for i := range k.Fields {
		for _, f := range reflect.VisibleFields(reflect.TypeFor[StepDef]()) {
			if name := yamlName(f); name == k.Fields[i].Name {
				s.add(&k.Fields[i], fieldSchema("step."+name, f.Type, "step_"+k.Name+"."+name))
			}
		}
	}
	return s
}

func stepPart() *Part {
	return &parts[slices.IndexFunc(parts, func(p Part) bool { return p.of == reflect.TypeFor[StepDef]() })]
}

// add adds a documented field.
func (s *schema) add(doc *Field, f *schema) {
	f.Description = doc.Doc
	if doc.Required {
		s.Required = append(s.Required, doc.Name)
	} else if doc.Default != "" {
		f.Description += ". Left out: " + doc.Default
	}
	s.Properties = append(s.Properties, namedSchema{doc.Name, f})
}

// fieldSchema is the schema of a field: what its type says, with what constraints say of its paths.
func fieldSchema(path string, t reflect.Type, more ...string) *schema {
	s := typeSchema(t)
	for _, path := range append([]string{path}, more...) {
		if constrain := constraints[path]; constrain != nil {
			constrain(s)
		}
	}
	return s
}

func typeSchema(t reflect.Type) *schema {
	switch t {
	case reflect.TypeFor[Names]():
		return &schema{Ref: "#/$defs/events"}
	case reflect.TypeFor[Window]():
		return &schema{Ref: "#/$defs/window"}
	case reflect.TypeFor[Span]():
		return &schema{Ref: "#/$defs/span"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(t.Elem())
	case reflect.Slice:
		return &schema{Type: "array", Items: typeSchema(t.Elem())}
	case reflect.Struct:
		of := slices.IndexFunc(parts, func(p Part) bool { return p.of == t })
		return &schema{Ref: "#/$defs/" + parts[of].Name}
	case reflect.Int:
		return &schema{Type: "integer"}
	case reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Interface:
		return &schema{Type: []string{"string", "number", "boolean"}}
	}
	return &schema{Type: "string"}
}

// sharedSchemas are those of the texts with a form of their own.
var sharedSchemas = schemas{
	{"event", &schema{Type: "string", Pattern: `^([^*]|..)`, MinLength: 1, MaxLength: 256}}, // but *
	{"events", &schema{AnyOf: []*schema{
		{Ref: "#/$defs/event"},
		{Type: "array", Items: &schema{Ref: "#/$defs/event"}, MinItems: 1, MaxItems: maxEvents, Unique: true},
	}}},
	{"window", &schema{Type: "string", Pattern: "^0*" + upTo366 + "[dhm]$"}},
	{"span", &schema{
		Type: []string{"string", "integer"}, Pattern: "^(0+|0*" + upTo366 + "d|[0-9]+[hms]|0+d)$", Maximum: new(float64), Minimum: new(float64),
	}},
}

const upTo366 = "([1-9][0-9]?|[12][0-9][0-9]|3[0-5][0-9]|36[0-6])"

// constraints say what a field's type does not.
var constraints = func() map[string]func(*schema) {
	named := func(s *schema) { s.Pattern = namePattern.String() }
	filled := func(s *schema) { s.MinLength = 1 }
	atMost := func(n int) func(*schema) { return func(s *schema) { s.MaxItems = n } }
	within := func(low, high float64) func(*schema) {
		return func(s *schema) { s.Minimum, s.Maximum = &low, &high }
	}
	upTo := func(high float64) func(*schema) {
		return func(s *schema) { s.Above, s.Maximum = new(float64), &high }
	}
	wholeUpTo := func(high float64) func(*schema) {
		return func(s *schema) { upTo(high)(s); s.Type = "integer" }
	}
	exactly := func(s *schema) { *s = schema{Type: "string", Pattern: "^0*(" + upTo366 + "d|[1-9][0-9]*[hm])$"} }
	inDays := func(s *schema) { *s = schema{Type: "string", Pattern: "^0*" + upTo366 + "d$"} }
	limited := func(s *schema) {
		upTo(maxAmount)(s)
		s.Type, s.Pattern = []string{"string", "number"}, `^(properties\..+|account\.[A-Za-z_][A-Za-z0-9_]*|[0-9.]+([eE][+-]?[0-9]+)?)$`
	}
	text := func(s *schema) { s.MaxLength = maxText }
	event := func(s *schema) { s.MinLength, s.MaxLength = 1, 256 }
	all := map[string]func(*schema){
		"checklist.version":          func(s *schema) { one := 1.0; s.Minimum = &one },
		"checklist.preset":           func(s *schema) { s.Enum = []string{"simple", "mid", "complex"} },
		"checklist.exclude":          func(s *schema) { s.MaxItems, s.Items.MinLength = maxExclude, 1 },
		"checklist.segments":         atMost(maxSegments),
		"checklist.tiers":            atMost(maxTiers),
		"checklist.properties":       atMost(MaxProperties),
		"checklist.playbooks":        atMost(maxPlaybooks),
		"checklist.steps":            func(s *schema) { s.MinItems, s.MaxItems = 1, MaxSteps },
		"checklist.exclude_accounts": func(s *schema) { s.MaxItems, s.Items.MinLength, s.Items.MaxLength = maxExcluded, 1, maxAccountID },
		"trial.days":                 within(1, maxWithin),
		"inactivity.days":            within(0, maxWithin),
		"hold-out.share":             within(0, 1),
		"hold-out.salt":              func(s *schema) { s.MaxLength = maxSalt },
		"outcome.reason":             func(s *schema) { s.MaxLength = maxKey },
		"tier.when":                  filled,
		"tier.threshold":             within(minThreshold, 1),
		"tier.escalate_at":           within(0, 1),
		"property.name":              func(s *schema) { s.Pattern = propertyPattern.String() },
		"property.type":              func(s *schema) { s.Enum = []string{"string", "long", "double", "boolean"} },
		"property.from":              func(s *schema) { s.MinItems = 1 },
		"source.event":               event,
		"step.kind":                  func(s *schema) { s.Enum = kindNames() },
		"step.weight":                within(0, maxWeight),
		"step.day":                   within(1, maxWithin),
		"step.of":                    func(s *schema) { s.Pattern = `^(quantity|properties\..+)$` },
		"step_distinct.of":           func(s *schema) { s.Pattern = `^(user_id|properties\..+)$` },
		"step.to":                    limited,
		"step.for":                   exactly,
		"step_sequence.within":       exactly,
		"step_days.within":           inDays,
		"step.half_life":             inDays,
		"step_count.at_least":        wholeUpTo(maxCount),
		"step_distinct.at_least":     wholeUpTo(maxDistinct),
		"step_days.at_least":         wholeUpTo(maxDays),
		"step_sum.at_least":          upTo(maxAmount),
		"step_ratio.at_least":        upTo(maxShare),
		"step_score.at_least":        upTo(maxPoints),
		"step_any.at_least":          wholeUpTo(MaxSteps),
		"step.steps":                 func(s *schema) { s.MinItems, s.Items.Pattern = 1, namePattern.String() },
		"step.points":                func(s *schema) { s.MinItems, s.MaxItems = 1, maxEntries },
		"step.caps":                  atMost(maxCapped),
		"points.points":              upTo(maxPoints),
		"cap.at_most":                upTo(maxPoints),
		"dedupe.limit":               within(0, maxDedupe),
		"activity.users":             within(0, maxUsers),
		"activity.role":              func(s *schema) { s.MaxLength = 256 },
	}
	for _, path := range strings.Fields("checklist.name segment.name tier.name tier.playbook playbook.name refinement.name step.id cap.group") {
		all[path] = named
	}
	for _, path := range strings.Fields("segment.when refinement.when") {
		all[path] = filled
	}
	for _, of := range []string{"playbook.", "refinement."} {
		for _, f := range playFields("") {
			all[of+f.Name] = text
		}
	}
	return all
}()
