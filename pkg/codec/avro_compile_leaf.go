package codec

import (
	"cmp"
	"fmt"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// leaf returns how to read a node for a target. field and path are what errors call them: the canonical field and
// where it comes from.
func (c *compiler) leaf(n scoped, t target, field, path string) (leaf, *usage.Error) {
	n = c.resolve(n)
	if n.Type == "union" {
		return c.leafUnion(n, t, field, path)
	}
	l, ok := leafOf(n)
	if ok && l.kind != leafNull {
		l, ok = fit(l, n, t)
	}
	if !ok {
		return leaf{}, c.unmappable(field, fmt.Errorf("field %s of %s is %s, which it can't be read from", path, c.name, describe(n)))
	}
	return l, nil
}

// leafUnion reads a union of which some branch is of a type that the target can have. Records that hold another are
// rejected one by one.
func (c *compiler) leafUnion(n scoped, t target, field, path string) (leaf, *usage.Error) {
	l := leaf{kind: leafUnion}
	var first *usage.Error
	usable := false
	for i := range n.Branches {
		branch := n.in(&n.Branches[i])
		b, err := c.leaf(branch, t, field, path)
		if err == nil {
			usable = usable || b.kind != leafNull
		} else {
			first = cmp.Or(first, err)
			b = leaf{kind: leafReject, reject: c.wrongBranch(field, c.plan.wrongType(t), path, branch)}
		}
		l.branches = append(l.branches, b)
	}
	if !usable && first != nil {
		return leaf{}, first
	}
	return l, nil
}

// textOps are the fields that are texts.
var textOps = map[field]opcode{
	fieldEventID: opEventID, fieldAccountID: opAccountID, fieldUserID: opUserID, fieldEvent: opEvent, fieldSource: opSource,
}

// leafProgram returns the program that reads a value for a target. What is common has an operation of its own.
func leafProgram(l leaf, t target) program {
	if t.field == fieldSingle {
		return program{{code: opLeaf, target: t, leaf: &l}}
	}
	code, isText := textOps[t.field]
	switch {
	case l.kind == leafNull:
		return nil
	case l.kind == leafReject:
		return program{{code: opReject, reject: l.reject}}
	case l.kind == leafUnion:
		o := op{code: opUnion}
		for _, branch := range l.branches {
			o.programs = append(o.programs, leafProgram(branch, t))
		}
		return program{o}
	case l.kind == leafText && isText:
		return program{{code: code}}
	case l.kind == leafLong && l.perMilli == 1 && t.field == fieldOccurredAt:
		return program{{code: opOccurredAt}}
	case l.kind == leafDouble && t.field == fieldQuantity:
		return program{{code: opQuantity}}
	}
	return program{{code: opLeaf, target: t, leaf: &l}}
}

// leafOf returns how to read a node that holds one value.
func leafOf(n scoped) (leaf, bool) {
	switch n.Type {
	case "null":
		return leaf{kind: leafNull}, true
	case "boolean":
		return leaf{kind: leafBool}, true
	case "int":
		return leaf{kind: leafInt}, true
	case "long":
		return leaf{kind: leafLong}, true
	case "float":
		return leaf{kind: leafFloat}, true
	case "double":
		return leaf{kind: leafDouble}, true
	case "string":
		return leaf{kind: leafText}, true
	case "bytes":
		// The bytes of a decimal are no text.
		return leaf{kind: leafText}, n.LogicalType != "decimal" && n.LogicalType != "big-decimal"
	case "enum":
		return leaf{kind: leafEnum, symbols: n.Symbols}, true
	case "fixed":
		return leaf{kind: leafUUID}, n.LogicalType == "uuid" && n.Size == 16
	}
	return leaf{}, false
}

// fit says whether a target can have what a leaf reads, as Avro promotes types: int to long to float to double, bytes
// to string.
func fit(l leaf, n scoped, t target) (leaf, bool) {
	number := l.kind == leafInt || l.kind == leafLong || l.kind == leafFloat || l.kind == leafDouble
	switch t.field {
	case fieldProperties, fieldSingle:
		return l, true
	case fieldQuantity:
		return l, number
	case fieldOccurredAt, fieldReceivedAt:
		l.perMilli = perMilli(n)
		return l, l.perMilli > 0
	}
	return l, l.kind == leafText || l.kind == leafEnum || l.kind == leafUUID
}

// perMilli is how many units of a node make a millisecond since the Unix epoch, 0 when it is no moment. Local
// timestamps are none: they don't say in which zone.
func perMilli(n scoped) int64 {
	if n.Type != "long" && n.Type != "int" {
		return 0
	}
	switch n.LogicalType {
	case "timestamp-micros":
		return 1_000
	case "timestamp-nanos":
		return 1_000_000
	case "date", "time-millis", "time-micros", "local-timestamp-millis", "local-timestamp-micros", "local-timestamp-nanos":
		return 0
	}
	return 1
}
