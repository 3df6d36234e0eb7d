package main

import (
	"fmt"
	"io"

	"github.com/pqlstream/pqlstream/test/bench/results"
)

// What a month is taken to cost: list prices of about this size are common among cloud providers, in dollars.
const (
	vCPUHour     = 0.04
	memoryMonth  = 3.00 // of a GB
	diskMonth    = 0.10 // of a GB
	hours        = 730
	busyShare    = 0.5 // of the cores that are paid for
	copies       = 2   // of memory: a second process, a replica of Redis
	replicas     = 3   // of topics: CPU of brokers, disk
	compactedIn  = 1   // days after which the changelog is one state an account
	outputsStay  = 400 // days
	secondsADay  = 86_400
	bytesInGB    = 1e9
	microseconds = 1e6
)

const assumptions = "A vCPU is taken to cost $%.2f an hour, of which %d %% are used; a GB of memory $%.2f a month, and there are %d of each, the " +
	"process's and Redis's; a GB of disk $%.2f a month. Topics have %d replicas, each at the CPU of the one that was measured, which also served the input's producer and the PQLs' reader; the changelog is " +
	"compacted within a day and PQL events stay for %d days. The input's topic and the network are not counted.\n\n"

// costs writes what a month costs at each rate that was measured.
func costs(w io.Writer, folder string) error {
	t, err := results.Load(folder, "rates")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, assumptions, vCPUHour, int(busyShare*100), memoryMonth, copies, diskMonth, replicas, outputsStay)
	fmt.Fprint(w, "| events/s | vCPUs, process and Redis | vCPUs, brokers | memory GB | disk GB | a month | a million events |\n|---:|---:|---:|---:|---:|---:|---:|\n")
	for i := range t.Rows {
		m := month(t, t.Rows[i].Name)
		fmt.Fprintf(w, "| %s | %s | %s | %s | %s | $%s | $%s |\n", t.Rows[i].Name, results.Number(m.own, 2), results.Number(m.brokers, 2),
			results.Number(m.memory, 2), results.Number(m.disk, 1), results.Number(m.dollars(), 0), results.Number(m.dollars()/m.millions, 4))
	}
	return nil
}

// needs are what a rate takes for a month.
type needs struct {
	own, brokers, memory, disk float64 // vCPUs, vCPUs, GB, GB
	millions                   float64 // events
}

func (n *needs) dollars() float64 {
	return (n.own+n.brokers)*vCPUHour*hours + n.memory*memoryMonth + n.disk*diskMonth
}

func month(t *results.Table, row string) needs {
	figure := func(column string) float64 {
		f, _ := t.Median(row, column) // what was not used costs nothing
		return f
	}
	rate := figure(results.Rate)
	daily := rate * secondsADay * replicas / bytesInGB
	outputs := figure(results.Outputs)
	return needs{
		own:      rate * figure(results.CPU) / microseconds / busyShare,
		brokers:  rate * figure(results.BrokerUs) / microseconds / busyShare * replicas,
		memory:   (figure(results.PeakMB) + figure(results.StoreMB)) / 1024 * copies,
		disk:     daily * ((figure(results.Written)-outputs)*compactedIn + outputs*outputsStay),
		millions: rate * hours * 3600 / 1e6,
	}
}
