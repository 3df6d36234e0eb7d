package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pqlstream/pqlstream/pkg/checklist"
)

// questions are asked one by one.
type questions struct {
	answers *bufio.Reader
	out     io.Writer
	err     error
}

func newQuestions(in io.Reader, out io.Writer) *questions {
	return &questions{answers: bufio.NewReader(in), out: out}
}

// ask asks for what the flags leave open, up to the first question without an answer. An answer that would make no checklist
// is asked for again.
func (f *initFlags) ask(q *questions) error {
	check := func() error { return f.starter().Check() }
	q.text(&f.output, "Which file shall it be?", defaultOutput, f.checkOutput)
	if f.preset == "" && f.selfServed == unanswered {
		f.selfServed = q.number("Of your last ten sign-ups, how many served themselves, without your help?", "", 10)
		if q.err == nil {
			fmt.Fprintf(q.out, "  That is a %s product.\n", checklist.PresetFor(f.selfServed))
		}
	}
	q.text(&f.name, "What is the checklist's name?", defaultName, check)
	q.text(&f.signup, "Which event is a sign-up?", "", check)
	q.text(&f.converted, "Which event is a conversion, from free or trial to paid?", "", check)
	if f.trial == unanswered {
		f.trial = q.number("How many days does a trial take? 0: there is none.", "0", longestTrial)
	}
	q.text(&f.size, "Which property of the sign-up tells how many people the company has?", "company_size", check)
	q.list(&f.steps, "Which 3 to 5 events are the key actions of an account that finds the product's value?", check)
	return q.err
}

// longestTrial is how many days checklists allow.
const longestTrial = 366

// errNobody ends the questions.
var errNobody = errors.New("the answers have ended before the questions: give flags, see --help")

// answer asks once. After the last answer it asks no more, and err says so.
func (q *questions) answer(question, fallback string) string {
	if q.err != nil {
		return ""
	}
	if fallback != "" {
		question += " [" + fallback + "]"
	}
	fmt.Fprintf(q.out, "%s ", question)
	line, err := q.answers.ReadString('\n')
	if line = strings.TrimSpace(line); err != nil && line == "" {
		q.err = errNobody
		return ""
	}
	return orElse(line, fallback)
}

// text asks until there is an answer that passes a check, unless there is an answer.
func (q *questions) text(to *string, question, fallback string, check func() error) {
	for *to == "" && q.err == nil {
		if *to = q.answer(question, fallback); *to != "" && !q.passes(check) {
			*to = ""
		}
	}
}

// passes says whether the newest answer passes a check, and tells if not.
func (q *questions) passes(check func() error) bool {
	err := check()
	if err == nil {
		return true
	}
	var problem *checklist.Problem
	if errors.As(err, &problem) { // where it would stand in the file says nothing here
		err = errors.New(problem.Message)
	}
	fmt.Fprintf(q.out, "  That won't do: %v.\n", err)
	return false
}

// number asks until the answer is a whole number from 0 up to a limit.
func (q *questions) number(question, fallback string, limit int) int {
	for q.err == nil {
		text := q.answer(question, fallback)
		if n, err := strconv.Atoi(text); err == nil && n >= 0 && n <= limit {
			return n
		}
		if q.err == nil {
			fmt.Fprintf(q.out, "  That is no number from 0 to %d.\n", limit)
		}
	}
	return unanswered
}

// list asks for events that pass a check, one a line, until an empty answer after the first; not at all if there are some.
func (q *questions) list(to *[]string, question string, check func() error) {
	if len(*to) > 0 || q.err != nil {
		return
	}
	fmt.Fprintf(q.out, "%s One a line, an empty line ends.\n", question)
	for q.err == nil {
		event := q.answer(fmt.Sprintf("  %d:", len(*to)+1), "")
		if event == "" && len(*to) > 0 {
			return
		}
		if event == "" {
			continue
		}
		if *to = append(*to, event); !q.passes(check) {
			*to = (*to)[:len(*to)-1]
		}
	}
}
