package servers

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// parentMode makes the test binary start a child and wait to be killed: see TestChildrenDieWithTheTestProcess.
const parentMode = "PQLSTREAM_TEST_PARENT"

func TestMain(m *testing.M) {
	if os.Getenv(parentMode) != "" {
		r, err := launch("sleep", []string{"600"}, os.DevNull, func(*exec.Cmd) {})
		if err != nil {
			panic(err)
		}
		os.Stdout.WriteString(strconv.Itoa(r.cmd.Process.Pid) + "\n")
		<-r.ended
	}
	os.Exit(m.Run())
}

func TestChildrenDieWithTheTestProcess(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux kills children with their parent")
	}
	parent := exec.Command(os.Args[0])
	parent.Env = append(os.Environ(), parentMode+"=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	child, err := strconv.Atoi(strings.TrimSpace(line))
	require.NoError(t, err)

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait() // killed
	require.Eventually(t, func() bool { return !alive(child) }, 30*time.Second, pollInterval)
}

// alive says whether a process exists and is no zombie, which a child without a parent may stay for a while.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z") && !strings.HasPrefix(rest, "X")
}

func TestProcessReportsHowItEnded(t *testing.T) {
	p := StartProcess(t, "sh", "-c", "echo hello; trap 'exit 3' TERM; while :; do sleep 0.05; done")
	require.Eventually(t, func() bool { return p.Output() == "hello\n" }, 30*time.Second, pollInterval)
	require.NoError(t, p.Stop())
	require.Equal(t, 3, p.ExitCode())
	select {
	case <-p.Done():
	default:
		t.Error("Done is open after the end")
	}
	require.NoError(t, p.Stop(), "stopping what has ended")

	require.NoError(t, p.Restart())
	require.NoError(t, p.Kill())
	require.Equal(t, -1, p.ExitCode())
	require.Error(t, p.Pause())
}

func TestAStrangersListenerIsNotTaken(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells whose a listener is")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	other := StartProcess(t, "sleep", "600")
	require.NoError(t, owns(os.Getpid(), port))
	require.ErrorContains(t, owns(other.PID(), port), "another process")
	require.NoError(t, l.Close())
	require.ErrorContains(t, owns(os.Getpid(), port), "nothing listens")
}

func TestLackingIsAFailureInCI(t *testing.T) {
	for _, c := range []struct{ ci, want string }{{"", "skip"}, {"true", "fail"}} {
		t.Setenv("CI", c.ci)
		r := &recorder{TB: t}
		lacking(r, "no such server")
		require.Equal(t, c.want, r.did)
	}
}

// recorder notes how a test would have ended.
type recorder struct {
	testing.TB
	did string
}

func (r *recorder) Helper()      {}
func (r *recorder) Skip(...any)  { r.did = "skip" }
func (r *recorder) Fatal(...any) { r.did = "fail" }
