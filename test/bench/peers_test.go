package bench

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pqlstream/pqlstream/test/bench/job"
	"github.com/pqlstream/pqlstream/test/bench/results"
	"github.com/pqlstream/pqlstream/test/servers"
)

// contender is a peer that can be started, any number of times, each under another name.
type contender struct {
	name  string
	start func(name string) *peer // returns once it is ready
}

// contenders returns the peers that do the whole job. Kafka Streams joins where PEERS names the folder that has it.
func (s *setup) contenders() []contender {
	s.tb.Helper()
	goRedis := s.build("test/bench/goredis")
	all := []contender{
		{results.PQLStream, func(name string) *peer { return &s.startApp(appOptions{prefix: name}).peer }},
		{results.GoRedis, func(name string) *peer { return s.startGoRedis(goRedis, name) }},
	}
	if folder := os.Getenv("PEERS"); folder != "" {
		classes := s.buildStreams(folder)
		all = append(all,
			contender{results.StreamsEOS, func(name string) *peer { return s.startStreams(classes, name, nil) }},
			contender{results.StreamsFast, func(name string) *peer {
				return s.startStreams(classes, name, []string{"-XX:+UseParallelGC", "-Xms2g", "-Xmn1g"}, "commit.ms=1000", "cache=268435456")
			}})
	}
	return all
}

// everything returns the program as it is by default: it writes what no other peer does, too.
func (s *setup) everything() contender {
	return contender{results.AllOutputs, func(name string) *peer { return &s.startApp(appOptions{prefix: name, all: true}).peer }}
}

// limit returns the peer that only reads and decodes.
func (s *setup) limit() contender {
	program := s.build("test/bench/raw")
	return contender{results.Raw, func(name string) *peer {
		p := &peer{s: s, name: name, every: fastPoll}
		process := p.run(command(cores, program, "-brokers", s.kafka.Bootstrap(), "-topic", input)...)
		p.finished = func(int64) bool { return strings.Contains(process.Output(), "DONE") }
		p.await("it to be ready", fastPoll, p.ready)
		return p
	}}
}

// fastPoll is for what may take less than a second.
const fastPoll = 2 * time.Millisecond

func (s *setup) startGoRedis(program, name string) *peer {
	p := &peer{s: s, name: name, store: servers.StartRedis(s.tb), output: name + ".pql-events", event: eventInJSON}
	s.createTopic(p.output)
	p.run(command(cores, program, "-brokers", s.kafka.Bootstrap(), "-redis", p.store.Addr(), "-group", name, "-input", input, "-output", p.output)...)
	p.finished = func(n int64) bool { return p.committed(name) >= n }
	p.await("it to be ready", poll, p.ready)
	return p
}

// buildStreams builds the Kafka Streams peer and returns its class path. It reads the same topic, so its schema has to be
// the job's.
func (s *setup) buildStreams(folder string) string {
	s.tb.Helper()
	theirs, err := os.ReadFile(filepath.Join(folder, "usage-event.avsc"))
	require.NoError(s.tb, err, "PEERS has to be the folder of the other peers")
	require.JSONEq(s.tb, job.Schema, string(theirs), "the other peers' events are not ours")
	to := filepath.Join(s.built, "streams")
	out, err := exec.Command("mvn", "-q", "-B", "-f", filepath.Join(folder, "streams", "pom.xml"), "-Dout="+to, "package").CombinedOutput()
	require.NoError(s.tb, err, "building Kafka Streams: %s", out)
	return filepath.Join(to, "classes") + ":" + filepath.Join(to, "lib", "*")
}

func (s *setup) startStreams(classes, name string, jvm []string, settings ...string) *peer {
	p := &peer{s: s, name: name, output: "pql-events", event: eventInJSON, exit: 143} // Java's way of ending on SIGTERM
	s.createTopic(p.output)
	args := append([]string{"java", "-Xmx2g", fmt.Sprintf("-XX:ActiveProcessorCount=%d", cores)}, jvm...)
	args = append(args, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classes, "bench.App",
		"id="+name, "brokers="+s.kafka.Bootstrap(), "state="+s.tb.TempDir())
	p.run(append(args, settings...)...)
	p.finished = func(n int64) bool { return p.committed(name) >= n }
	p.await("it to be ready", poll, p.ready)
	return p
}

// eventInJSON returns the event that qualified an account, from a PQL of the peers that write JSON.
func eventInJSON(r *kgo.Record) (id string, ok bool) {
	if r.Attrs.IsControl() {
		return "", false
	}
	var v struct {
		EventID string `json:"event_id"`
	}
	err := json.Unmarshal(r.Value, &v)
	return v.EventID, err == nil && v.EventID != ""
}
