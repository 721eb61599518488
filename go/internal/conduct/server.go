package conduct

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/epperf/epperf/go/internal/preflight"
	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
)

const (
	// startTimeout bounds how long a server takes to start.
	startTimeout = 30 * time.Second
	// janitorTimeout bounds how long a janitor takes to end.
	janitorTimeout = 5 * time.Second
)

// A Server is an etcd server in a process of its own, the janitor: what etcd ends its process for ends no
// launcher, and what it keeps is removed also if this process is killed.
type Server struct {
	Endpoint string // where clients reach it

	folder  string
	also    string
	janitor *exec.Cmd
	hold    io.WriteCloser  // the janitor's standard input
	said    strings.Builder // on its standard error; complete once ended is closed
	ended   chan struct{}   // closed when the janitor has ended
}

// ServerFolder finds where the data of a server have room, and says it where that is not the temporary folder.
func ServerFolder(config embedded.Config, stderr io.Writer) (string, error) {
	folder, note, err := preflight.ServerFolder(preflight.Room(config.Need()))
	if note != "" {
		fmt.Fprintf(stderr, "perf: %s\n", note)
	}
	return folder, err
}

// A ServerConfig is what a server needs, and what is removed with its folder.
type ServerConfig struct {
	embedded.Config
	Also string // a path; nothing is there when the server starts. "" for nothing
}

// StartServer starts a server and waits until it answers or ctx ends. From before prepare is called, which
// may be nil, somebody is there to remove what it makes.
func StartServer(ctx context.Context, config ServerConfig, prepare func() error) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := config.absolute(); err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	if _, err := os.Lstat(config.Also); config.Also != "" && err == nil {
		return nil, fmt.Errorf("%s is there: does another run have this --run-id and --output? if not, remove it", config.Also)
	}
	s := &Server{also: config.Also, ended: make(chan struct{})}
	lines, err := s.start()
	if err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	s.tell(config.Also)
	if prepare != nil {
		if err := prepare(); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.tell(config.Config)
	for _, to := range []*string{&s.folder, &s.Endpoint} {
		select {
		case line, more := <-lines:
			if !more {
				<-s.ended
				return nil, errors.Join(fmt.Errorf("start etcd: %s", s.lastWords()), s.Close())
			}
			*to = line
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("start etcd: %w", context.Cause(ctx)), s.Close())
		}
	}
	return s, nil
}

// absolute makes paths those of a process in another folder.
func (c *ServerConfig) absolute() (err error) {
	for _, path := range []*string{&c.CAFile, &c.CertFile, &c.KeyFile, &c.Also} {
		if *path != "" {
			if *path, err = filepath.Abs(*path); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell writes a line for the janitor; one that does not read has ended.
func (s *Server) tell(what any) {
	line, _ := json.Marshal(what) // plain strings
	_, _ = s.hold.Write(append(line, '\n'))
}

// start starts a janitor, in a session of its own so that signals for a terminal's or scheduler's group
// do not reach it, and returns what it prints.
func (s *Server) start() (<-chan string, error) {
	s.janitor = exec.Command("/proc/self/exe", JanitorName)
	s.janitor.Args[0] = os.Args[0]
	s.janitor.Dir = "/"
	s.janitor.Env = append(os.Environ(), quietTraceback()...)
	s.janitor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	s.janitor.Stderr = &s.said
	hold, err := s.janitor.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.janitor.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.janitor.Start(); err != nil {
		return nil, err
	}
	s.hold = hold
	lines := make(chan string, 2) // all that it prints, so that nobody has to read it
	go func() {
		defer close(s.ended)
		printed := bufio.NewScanner(out)
		for printed.Scan() {
			lines <- printed.Text()
		}
		close(lines)
		_ = s.janitor.Wait() // how it ended is in its state
	}()
	return lines, nil
}

// Bind returns a context that also ends when the server does before Close, with the reason.
func (s *Server) Bind(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	go func() {
		select {
		case <-s.ended:
			cancel(fmt.Errorf("etcd of this run ended: %s", s.lastWords()))
		case <-ctx.Done():
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// lastWords says in one line why a janitor ended that was not told to.
func (s *Server) lastWords() string {
	why := "its process: " + s.janitor.ProcessState.String()
	said := strings.Split(strings.TrimSpace(s.said.String()), "\n")
	for _, prefix := range []string{"perf: ", "fatal error: ", "panic: "} {
		for _, line := range said {
			if text, found := strings.CutPrefix(line, prefix); found {
				return text
			}
		}
	}
	if said[0] != "" {
		why += ": " + said[0]
	}
	return why
}

// Close ends the server, waits for it, and sees that its folder is gone.
func (s *Server) Close() error {
	s.hold.Close()
	overdue := time.AfterFunc(janitorTimeout, func() { _ = s.janitor.Process.Kill() })
	defer overdue.Stop()
	<-s.ended
	var left error
	for _, path := range []string{s.folder, s.also} { // the janitor did, unless it was killed
		if path != "" {
			left = errors.Join(left, os.RemoveAll(path))
		}
	}
	return left
}
