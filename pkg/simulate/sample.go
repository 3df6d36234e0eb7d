// Package simulate makes usage events: the sample data of a believable SaaS product, random streams for tests, and load
// of either onto a topic. Everything is drawn from a seed and a fixed epoch: the same options give the same events on
// every machine, and no clock is read.
package simulate

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/pqlstream/pqlstream/pkg/usage"
)

// Disorder bounds how long after it happened an event arrives in the streams of this package: below the 5 minutes
// that pqlstream allows by default, so that no event is late.
const Disorder = 4 * time.Minute

// DefaultEpoch is when the sample data begins unless it is told when it begins or ends: a Monday.
var DefaultEpoch = time.Date(2025, time.June, 2, 0, 0, 0, 0, time.UTC)

const (
	secondMs = int64(1000)
	minuteMs = 60 * secondMs
	hourMs   = 60 * minuteMs
	dayMs    = 24 * hourMs
)

// Options size the sample data. The zero value of a field stands for its default.
type Options struct {
	Seed     uint64
	Accounts int       // that sign up; default 300
	Days     int       // how many days the data spans; default 60
	Epoch    time.Time // when it begins, cut to the UTC day; default so many days before End, DefaultEpoch without one
	End      time.Time // when it ends; default so many days after Epoch
}

// Sample is the usage of a reporting and collaboration product over some weeks. Companies of three sizes sign up
// (70 % have fewer than 50 people, 25 % fewer than 500). What they do then
// depends on how they behave: engaged from the first day, led by one champion, slow to start, losing interest after
// a good start, or just looking around. Work follows office hours and weeks. Some buy, some cancel.
//
// About 1 % of the events arrive twice, with the same id, and 2 % up to Disorder after they happened.
type Sample struct {
	options Options
}

// New returns the sample data that the options describe, an error when they make no sense.
func New(o Options) (*Sample, error) {
	o.Accounts = cmp.Or(o.Accounts, 300)
	o.Days = cmp.Or(o.Days, 60)
	switch {
	case !o.Epoch.IsZero():
	case o.End.IsZero():
		o.Epoch = DefaultEpoch
	default:
		o.Epoch = o.End.AddDate(0, 0, -o.Days)
	}
	o.Epoch = o.Epoch.UTC().Truncate(24 * time.Hour)
	if o.End.IsZero() {
		o.End = o.Epoch.AddDate(0, 0, o.Days)
	}
	var errs []error
	if o.Accounts < 0 {
		errs = append(errs, fmt.Errorf("accounts: %d is negative", o.Accounts))
	}
	if o.Days < 0 {
		errs = append(errs, fmt.Errorf("days: %d is negative", o.Days))
	}
	if o.Epoch.UnixMilli() < 0 {
		errs = append(errs, fmt.Errorf("epoch: %v is before 1970", o.Epoch))
	}
	return &Sample{options: o}, errors.Join(errs...)
}

// Options returns the options with the defaults filled in.
func (s *Sample) Options() Options { return s.options }

// Events yields the events in the order of their arrival (ReceivedAt), which is nearly that of event time. Each is the
// receiver's own. It can be called any number of times and yields the same each time.
func (s *Sample) Events() iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		end := s.options.End.UnixMilli()
		for e := range s.endless() {
			if e.ReceivedAt >= end || !yield(e) {
				return
			}
		}
	}
}

// After yields what follows Events, for as long as it is asked: the accounts go on, and others sign up, as many a day as
// before.
func (s *Sample) After() iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		end := s.options.End.UnixMilli()
		for e := range s.endless() {
			if e.ReceivedAt >= end && !yield(e) {
				return
			}
		}
	}
}

func (s *Sample) endless() iter.Seq[*usage.Event] {
	return func(yield func(*usage.Event) bool) {
		o := s.options
		accounts := make([]*account, o.Accounts)
		for i := range accounts {
			accounts[i] = newAccount(o, i)
		}
		var waiting []*usage.Event
		for day := range math.MaxInt {
			begin := o.Epoch.UnixMilli() + int64(day)*dayMs
			accounts = appendNewcomers(accounts, o, day)
			for _, a := range accounts {
				waiting = a.appendDay(waiting, begin)
			}
			// An evening's work in a western time zone and late arrivals belong to the next day.
			slices.SortStableFunc(waiting, func(a, b *usage.Event) int { return cmp.Compare(a.ReceivedAt, b.ReceivedAt) })
			n, _ := slices.BinarySearchFunc(waiting, begin+dayMs, func(e *usage.Event, end int64) int { return cmp.Compare(e.ReceivedAt, end) })
			for _, e := range waiting[:n] {
				if !yield(e) {
					return
				}
			}
			waiting = append(waiting[:0], waiting[n:]...)
		}
	}
}

// appendNewcomers appends those who sign up on a day, none within the span.
func appendNewcomers(accounts []*account, o Options, day int) []*account {
	for len(accounts) < o.Accounts*(day+1)/o.Days {
		a := newAccount(o, len(accounts))
		a.signUp = o.Epoch.UnixMilli() + int64(day)*dayMs + a.officeTime()
		accounts = append(accounts, a)
	}
	return accounts
}
