package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/pqlstream/pqlstream/pkg/config"
	"github.com/pqlstream/pqlstream/pkg/telemetry"
)

// errWaiting says that a process is alive and waits for something.
var errWaiting = errors.New("it is not ready")

// readiness is what a process answers at /readyz.
type readiness struct {
	Status  string                `json:"status"`
	Waiting []telemetry.Condition `json:"waiting,omitempty"`
}

func newReady() *cobra.Command {
	var told output
	address, timeout := "", 3*time.Second
	cmd := &cobra.Command{
		Use:   "ready",
		Short: "Ask a process whether it is ready, and what it waits for",
		Long: `Asks a process at its http.address, as GET /readyz does. It is for health checks where there is no curl, as in the image: it ends
with 0 when the process is ready, with 5 when it waits for something, and with 6 when nobody answers.`,
		Example: `  pqlstream ready
  pqlstream ready --address localhost:9464 -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			at := reachable(cmp.Or(address, os.Getenv("PQLSTREAM_HTTP_ADDRESS"), config.Default().HTTP.Address))
			r, err := askReadiness(ctx, at)
			if err != nil {
				return err
			}
			if err := told.write(cmd.OutOrStdout(), r, func(w io.Writer) error { return writeReadiness(w, r) }); err != nil || len(r.Waiting) == 0 {
				return err
			}
			return fmt.Errorf("the process at %s: %w", at, errWaiting)
		},
	}
	told.addTo(cmd)
	cmd.Flags().StringVar(&address, "address", "", "`host:port` of the process (default: what PQLSTREAM_HTTP_ADDRESS says, otherwise 127.0.0.1:9464)")
	cmd.Flags().DurationVar(&timeout, "timeout", timeout, "how long the process may take to answer")
	return cmd
}

// reachable is where what listens at an address is reached on this machine.
func reachable(address string) string {
	host, port, err := net.SplitHostPort(address)
	if ip, invalid := netip.ParseAddr(host); err == nil && (host == "" || invalid == nil && ip.IsUnspecified()) {
		return net.JoinHostPort("localhost", port)
	}
	return address
}

func askReadiness(ctx context.Context, address string) (*readiness, error) {
	doing := "asking the process at " + address
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", nil)
	if err != nil {
		return nil, misused("--address %s: it is not host:port", address)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	defer answer.Body.Close()
	var r readiness
	if err := json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(&r); err != nil || r.Status == "" {
		return nil, fmt.Errorf("%s: its answer, %s, is not that of pqlstream", doing, answer.Status)
	}
	return &r, nil
}

func writeReadiness(w io.Writer, r *readiness) error {
	text := r.Status + "\n"
	for _, c := range r.Waiting {
		text += fmt.Sprintf("%s: %s\n", c.Name, strings.TrimSpace(c.WaitingFor))
	}
	_, err := io.WriteString(w, text)
	return err
}
