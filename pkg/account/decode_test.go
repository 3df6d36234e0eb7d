package account_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pqlstream/pqlstream/pkg/account"
	"github.com/pqlstream/pqlstream/pkg/usage"
)

// TestANewDefinitionDecidesAtTheNextEvent also where that event by itself has no effect any more.
func TestANewDefinitionDecidesAtTheNextEvent(t *testing.T) {
	s := begin(t, life+"activity: {users: 0}\n")
	assert.Equal(t, "active step_done(a) step_done(c)", s.fold("a c"))
	s.engine = engine(t, strings.Replace(life, "preset: simple", "tiers: [{name: all, threshold: 0.5}]", 1)+"activity: {users: 0}\n")
	s.state = reload(t, s.engine, s.state)
	assert.Equal(t, "qualified", s.fold("a"))
	assert.Equal(t, "", s.fold("a"))
}

func TestFewerUsersAreKeptWhenTheDefinitionSaysSo(t *testing.T) {
	s := begin(t, life)
	s.fold("b/u1 a/u2 d/u3 d/u1")
	for _, users := range []string{"2", "0"} {
		s.engine = engine(t, life+"activity: {users: "+users+"}\n")
		b, err := s.state.AppendBinary(nil)
		require.NoError(t, err)
		s.state, err = s.engine.Load("acme", b)
		require.NoError(t, err)
		var ids []string
		for _, u := range s.engine.View(s.state, 0).Users {
			ids = append(ids, u.ID)
		}
		assert.Equal(t, map[string][]string{"2": {"u1", "u3"}, "0": nil}[users], ids)
		assert.Equal(t, "u2", s.engine.View(s.state, 0).StepsDone[0].UserID)
	}
}

func TestOtherwiseEncodedStatesAreErrors(t *testing.T) {
	e := engine(t, life)
	s := begin(t, life)
	s.fold("account_created?company_size=60 b")
	good, err := s.state.AppendBinary(nil)
	require.NoError(t, err)
	head := []byte{12, 200, 1, 4, 0x82, 1, 0} // layout, incarnation 100, ordinal, flags, last hour
	require.Equal(t, head, good[:len(head)])
	for name, b := range map[string][]byte{
		"a longer number":               append([]byte{12, 200, 1, 4, 0x82, 1, 0x80, 0}, good[7:]...),
		"an ordinal below 0":            append([]byte{12, 200, 1, 1, 2, 0}, good[7:]...),
		"an unknown flag":               append([]byte{12, 200, 1, 4, 0x80, 0x80, 4, 0}, good[7:]...),
		"an hour before the epoch":      append([]byte{12, 200, 1, 4, 0x82, 1, 1}, good[7:]...),
		"an hour too far":               append([]byte{12, 200, 1, 4, 0x82, 1, 0x80, 0x80, 0x80, 0x80, 16}, good[7:]...),
		"a block with its size":         {12, 200, 1, 2, 2, 0, 0, 0, 1, 10, 8, 'n', 'a', 'm', 'e', 0, 0, 0, 0, 0, 0, 0},
		"two blocks":                    {12, 200, 1, 2, 2, 0, 0, 0, 2, 2, 'a', 2, 2, 'b', 0, 0, 0, 0, 0, 0, 0},
		"a longer end":                  {12, 200, 1, 2, 2, 0, 0, 0, 2, 2, 'a', 0x80, 0, 0, 0, 0, 0, 0, 0},
		"events below 0":                {12, 200, 1, 2, 2, 0, 0, 0, 0, 2, 2, 'a', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"a step undone as a transition": {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 2, 0, 16, 0, 0, 0, 0, 0},
		"a role too long":               append(append([]byte{12, 200, 1, 2, 2, 0, 0, 0, 0, 2, 2, 'a', 0, 0, 66}, make([]byte, 33)...), 0, 0, 0, 0, 0, 0),
		"merits of no step":             {12, 200, 1, 2, 2, 0, 0, 0, 0, 2, 2, 'a', 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0},
		"a step done as a transition":   {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 0, 0},
		"an unknown transition":         {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 2, 0, 46, 0, 0, 0, 0, 0},
		"an unknown user":               {12, 200, 1, 2, 2, 0, 0, 0, 2, 0, 0, 0, 0, 2, 2, 0, 1, 2, 3, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"an alias of nobody":            {12, 200, 1, 2, 0x80, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"an alias of two":               {12, 200, 1, 2, 0x80, 0x80, 1, 0, 0, 0, 4, 2, 'a', 2, 'b', 0, 0, 0, 0, 0, 0, 0},
		"an alias of an empty name":     {12, 200, 1, 2, 0x80, 0x80, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0},
		"an alias that signed up":       {12, 200, 1, 2, 0x82, 0x80, 1, 0, 0, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0},
		"an alias with an hour":         {12, 200, 1, 2, 0x80, 0x80, 1, 2, 0, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0},
		"an alias that told something":  {12, 200, 1, 2, 0x80, 0x80, 1, 0, 2, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0},
		"an alias with a user":          {12, 200, 1, 2, 0x80, 0x80, 1, 0, 0, 0, 2, 2, 'a', 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"a stub for ever":               {12, 200, 1, 2, 0x80, 0x80, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"a stub of an alias":            {12, 200, 1, 2, 0x80, 0x80, 3, 2, 0, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0},
		"a stub of something":           {12, 200, 1, 2, 0x80, 0x80, 2, 2, 0, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0},
		"a stub that told something":    {12, 200, 1, 2, 0x80, 0x80, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0},
		"what was told below 0":         {12, 200, 1, 2, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		"what was told too large":       {12, 200, 1, 2, 2, 0, 0x80, 0x80, 0x80, 0x80, 32, 0, 0, 0, 0, 0, 0, 0, 0},
		"ids out of order":              {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0},
	} {
		_, err := e.Load("acme", b)
		assert.ErrorContains(t, err, "malformed account state", name)
	}
	for name, b := range map[string][]byte{
		"as it was": good, "nothing": {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"an alias":                   {12, 200, 1, 2, 0x80, 0x80, 1, 0, 0, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0},
		"a stub":                     {12, 200, 1, 2, 0x80, 0x80, 2, 2, 0, 0, 0, 0, 0, 2, 0, 40, 0, 0, 0, 0, 0},
		"what was told":              {12, 200, 1, 2, 2, 0, 0xfe, 0xff, 0xff, 0xff, 31, 0, 0, 0, 0, 0, 0, 0, 0},
		"ids in order":               {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0},
		"a transition":               {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0},
		"a user":                     {12, 200, 1, 2, 2, 0, 0, 0, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"merits":                     {12, 200, 1, 2, 2, 0, 0, 0, 0, 2, 2, 'a', 0, 0, 0, 2, 1, 0, 2, 1, 2, 3, 4, 0, 0, 0, 0, 0},
		"a step that time did":       {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 2, 4, 0, 1, 2, 3, 4, 0, 2, 0, 0, 0, 0},
		"a step undone":              {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 2, 6, 0, 1, 2, 3, 4, 0, 0, 0, 0},
		"a topic":                    {12, 200, 1, 2, 2, 0, 0, 0, 2, 2, 'a', 0, 0, 0, 0, 0, 0, 0},
		"a step that is not its own": {12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 2, 9, 0, 0, 0},
	} {
		_, err := e.Load("acme", b)
		assert.NoError(t, err, name)
	}
}

// TestStatesWithMoreThanThereCanBeAreRefused before anything is done for each of their items: one that looks at each for
// each other would take minutes.
func TestStatesWithMoreThanThereCanBeAreRefused(t *testing.T) {
	e := engine(t, life)
	unknown := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) } // keys of nothing
	for name, part := range map[string]struct {
		place, most int
		item        func(i int) []byte
	}{
		"properties":    {0, 50, func(i int) []byte { return append(unknown(i), 0, 0, 1) }},
		"users":         {2, 511, func(i int) []byte { return append([]byte{8}, fmt.Sprintf("%04d\x02\x02\x00\x00", i%10_000)...) }},
		"merited steps": {3, 100, unknown},
		"transitions":   {4, 51 + 100, func(int) []byte { return []byte{0, 4, 0} }},
		"steps done":    {4, 51 + 100, func(i int) []byte { return append(append([]byte{2, 0}, unknown(i)...), 0, 0, 0, 0, 0, 0, 0, 0) }},
		"working sets":  {5, 101, func(i int) []byte { return append(unknown(i), 0) }},
	} {
		load := func(items int) error {
			b := []byte{12, 200, 1, 2, 2, 0, 0}
			for place := range 8 {
				switch {
				case place == part.place:
					b = binary.AppendVarint(b, int64(items))
					for i := range items {
						b = append(b, part.item(i)...)
					}
				case place == 1: // a topic, which steps done refer to
					b = append(b, 2, 2, 'a')
				}
				b = append(b, 0)
			}
			_, err := e.Load("acme", b)
			return err
		}
		assert.NoError(t, load(part.most), name)
		assert.ErrorContains(t, load(part.most+1), "malformed account state", name)
		assert.ErrorContains(t, load(900_000/len(part.item(0))), "malformed account state", name)
	}
}

// TestMostOfAStateCanBeOfTheIDsRemembered which have no limit but the definition's, that may change.
func TestMostOfAStateCanBeOfTheIDsRemembered(t *testing.T) {
	b := append([]byte{12, 200, 1, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0}, binary.AppendVarint(nil, 60_000)...)
	b = append(append(b, bytes.Repeat([]byte{1}, 60_000*14)...), 0, 0)
	e := engine(t, life)
	s, err := e.Load("acme", b)
	require.NoError(t, err)
	e.Folder().Apply(s, &usage.Event{ID: "1", Name: "a", OccurredAt: 1}, account.Position{}, 0)
	assert.Less(t, s.Size(), 10_000, "those over the limit are forgotten")
}
