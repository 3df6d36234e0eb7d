package results

import (
	"fmt"
	"io"
)

// The rows and columns that the aims are about.
const (
	PQLStream   = "pqlstream"
	AllOutputs  = "pqlstream-all"
	StreamsEOS  = "ks-eos"
	StreamsFast = "ks-eos-tuned"
	GoRedis     = "go-redis"
	Raw         = "raw"

	Rate     = "rate"      // events a second
	CPU      = "cpu"       // us an event, process and store
	PeakMB   = "peak_mb"   // of the process
	StoreMB  = "store_mb"  // of its store
	Written  = "written"   // bytes an event, to the peer's own topics
	Outputs  = "outputs"   // of those, to what is no changelog
	BrokerUs = "broker_us" // CPU us an event
)

// aim is a figure of the program beside another peer's.
type aim struct {
	text   string
	column string
	than   string
	invert bool    // less is better: the other's is divided by the program's
	bound  float64 // 0: none
}

var aims = []aim{
	{"events/s, times ks-eos-tuned's", Rate, StreamsFast, false, 7},
	{"events/s, times go-redis's", Rate, GoRedis, false, 2.5},
	{"events/s, share of raw's", Rate, Raw, false, 0.6},
	{"CPU an event, ks-eos-tuned's times as much", CPU, StreamsFast, true, 6},
	{"CPU an event, go-redis's times as much", CPU, GoRedis, true, 2.5},
	{"memory of the process, ks-eos-tuned's times as much, which is given 2 GB at its start (-Xms2g -Xmn1g)", PeakMB, StreamsFast, true, 4},
	{"memory of the process, ks-eos's times as much, which takes what it needs up to 2 GB", PeakMB, StreamsEOS, true, 0},
	{"bytes written to Kafka, ks-eos's times as much", Written, StreamsEOS, true, 5},
}

// Aims writes what the program's figures are beside the other peers', as far as those were measured.
func (t *Table) Aims(w io.Writer) {
	fmt.Fprint(w, "| figure | measured | aim |\n|---|---:|---:|\n")
	for _, a := range aims {
		ours, ok := t.Median(PQLStream, a.column)
		theirs, also := t.Median(a.than, a.column)
		measured := "–"
		if ok && also && a.invert {
			measured = Number(theirs/ours, 2)
		} else if ok && also {
			measured = Number(ours/theirs, 2)
		}
		bound := "–"
		if a.bound > 0 {
			bound = fmt.Sprintf("≥ %g", a.bound)
		}
		fmt.Fprintf(w, "| %s | %s | %s |\n", a.text, measured, bound)
	}
}
