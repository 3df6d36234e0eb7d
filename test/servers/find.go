package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

const minJava = 17 // the oldest that Kafka 4 runs on

// findKafka returns the java command and the folder of a release's jars. The error says what is missing and the remedy.
func findKafka(r Release) (java, jars string, err error) {
	java, err = findJava()
	if err != nil {
		return "", "", fmt.Errorf("%w: install a JDK %d and Maven (Debian: apt-get install openjdk-17-jdk-headless maven), then %s",
			err, minJava, makeTarget(r))
	}
	root, err := moduleRoot()
	if err != nil {
		return "", "", err
	}
	jars = filepath.Join(root, "build", "kafka", string(r))
	if found, _ := filepath.Glob(filepath.Join(jars, "kafka_*.jar")); len(found) == 0 {
		return "", "", fmt.Errorf("no jars of Kafka %s in %s: run `%s`, which needs Maven (Debian: apt-get install maven)",
			r, jars, makeTarget(r))
	}
	return java, jars, nil
}

func makeTarget(r Release) string {
	if r == Kafka4 {
		return "make kafka"
	}
	return "make kafka-" + string(r)
}

// findJava returns the java of JAVA_HOME or else of the path, if it is new enough.
func findJava() (string, error) {
	java := "java"
	if home := os.Getenv("JAVA_HOME"); home != "" {
		java = filepath.Join(home, "bin", "java")
	}
	out, err := exec.Command(java, "-version").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s does not run (%w)", java, err)
	}
	major, err := javaMajor(string(out))
	if err != nil {
		return "", err
	}
	if major < minJava {
		return "", fmt.Errorf("%s is version %d", java, major)
	}
	return java, nil
}

var javaVersion = regexp.MustCompile(`version "(\d+)`)

// javaMajor reads the version from what `java -version` prints; of the old 1.8 it reads 1.
func javaMajor(out string) (int, error) {
	m := javaVersion.FindStringSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("no version in what java -version prints: %q", out)
	}
	return strconv.Atoi(m[1])
}

// moduleRoot returns the folder of the go.mod above the working directory, in which go test runs a package's tests.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}
