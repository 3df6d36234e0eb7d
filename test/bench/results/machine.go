package results

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// Machine is what a benchmark ran on.
type Machine struct {
	CPU    string
	Cores  int
	Memory float64 // GB
	System string
	Go     string
	Java   string
	Redis  string
}

// ThisMachine describes the machine that the process runs on. What it can't learn stays empty.
func ThisMachine() Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	m.CPU = found("/proc/cpuinfo", `model name\s*: (.*)`)
	m.System = strings.Join(strings.Fields("Linux "+first("/proc/sys/kernel/osrelease")), " ")
	kB := 0.0
	if _, err := fmt.Sscan(found("/proc/meminfo", `MemTotal:\s*(\d+)`), &kB); err == nil {
		m.Memory = kB / (1 << 20)
	}
	m.Java = printed(`version "([^"]+)"`, "java", "-version")
	m.Redis = printed(`v=(\S+)`, "redis-server", "--version")
	return m
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %.0f GB of memory, %s; %s, Redis %s, Java %s", m.CPU, m.Cores, m.Memory, m.System, m.Go, m.Redis, m.Java)
}

func first(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return line
}

func found(file, pattern string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return match(string(b), pattern)
}

func printed(pattern, command string, args ...string) string {
	out, err := exec.Command(command, args...).CombinedOutput()
	if err != nil {
		return ""
	}
	return match(string(out), pattern)
}

func match(text, pattern string) string {
	if m := regexp.MustCompile(pattern).FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}
