package conduct

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
)

// JanitorName is the command as which perf executes itself to run an etcd server and to clean up
// after itself.
const JanitorName = "janitor"

// errGone ends a janitor whose launcher is.
var errGone = errors.New("the launcher is gone")

// Serve is a janitor's whole life: it makes a folder, says where, runs an etcd server in it, says where
// that listens, and ends the server and removes the folder when its launcher closes the pipe, which the
// kernel does for one that is killed. It makes the folder itself, so that there is no moment in which
// nobody would remove it. The launcher says first what else is to be removed, then the server's config.
func Serve(launcher io.Reader, out, stderr io.Writer) (err error) {
	signal.Ignore(append(ending, syscall.SIGPIPE)...)
	input := json.NewDecoder(launcher)
	var also string
	if err := input.Decode(&also); err != nil {
		return fmt.Errorf("perf starts its janitors itself: %w", err)
	}
	defer func() {
		if also != "" {
			err = errors.Join(err, os.RemoveAll(also))
		}
	}()
	var config embedded.Config
	if err := input.Decode(&config); errors.Is(err, io.EOF) {
		return nil // the launcher has ended
	} else if err != nil {
		return fmt.Errorf("read an etcd server's config: %w", err)
	}
	if config.Listen == "" {
		runtime.GOMAXPROCS(2) // one run's few operations; CPUs are for its ranks
	}
	folder, err := os.MkdirTemp(config.Folder, "epperf-")
	if err != nil {
		return fmt.Errorf("make etcd's folder: %w", err)
	}
	config.Folder = folder
	config.Died = func(reason error) {
		fmt.Fprintln(stderr, "perf:", reason)
		_ = os.RemoveAll(folder) // else the launcher does
		os.Exit(1)
	}
	fmt.Fprintln(out, folder)
	ctx, cancel := context.WithCancelCause(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, launcher) // its end is all there is to read
		cancel(errGone)
	}()
	return errors.Join(serve(ctx, config, out), os.RemoveAll(folder))
}

// serve runs a server for as long as ctx lasts. It does not end the server, which would wait for clients
// that are there: its process ends.
func serve(ctx context.Context, config embedded.Config, out io.Writer) error {
	server, err := embedded.Start(ctx, config)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(out, server.Endpoint())
	select {
	case <-ctx.Done():
		return nil
	case err := <-server.Err():
		return err
	}
}
