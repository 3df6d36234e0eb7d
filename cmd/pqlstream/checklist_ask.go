package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
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

// isTerminal says whether somebody can answer.
func isTerminal(in io.Reader) bool {
	file, is := in.(*os.File)
	if !is {
		return false
	}
	info, err := file.Stat()
	nothing, nothingErr := os.Stat(os.DevNull) // a character device as well
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && (nothingErr != nil || !os.SameFile(info, nothing))
}

// ask asks for what the flags leave open, up to the first question without an answer.
func (f *initFlags) ask(q *questions) error {
	if f.preset == "" && f.selfServed == unanswered {
		f.selfServed = q.number("Of your last ten sign-ups, how many served themselves, without your help?", "", 10)
		if q.err == nil {
			fmt.Fprintf(q.out, "  That is a %s product.\n", checklist.PresetFor(f.selfServed))
		}
	}
	q.text(&f.name, "What is the checklist's name?", defaultName)
	q.text(&f.signup, "Which event is a sign-up?", "")
	q.text(&f.converted, "Which event is a conversion, from free or trial to paid?", "")
	if f.trial == unanswered {
		f.trial = q.number("How many days does a trial take? 0: there is none.", "0", longestTrial)
	}
	q.text(&f.size, "Which property of the sign-up tells how many people the company has?", "company_size")
	q.list(&f.steps, "Which 3 to 5 events are the key actions of an account that finds the product's value?")
	q.text(&f.output, "Which file shall it be?", defaultOutput)
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

// text asks until there is an answer, unless there is one.
func (q *questions) text(to *string, question, fallback string) {
	for *to == "" && q.err == nil {
		*to = q.answer(question, fallback)
	}
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

// list asks for events, one a line, until an empty answer after the first; not at all if there are some.
func (q *questions) list(to *[]string, question string) {
	if len(*to) > 0 || q.err != nil {
		return
	}
	fmt.Fprintf(q.out, "%s One a line, an empty line ends.\n", question)
	for q.err == nil {
		event := q.answer(fmt.Sprintf("  %d:", len(*to)+1), "")
		if event == "" && len(*to) > 0 {
			return
		}
		if event != "" {
			*to = append(*to, event)
		}
	}
}
