package conduct

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// JanitorName is the command as which perf executes itself to clean up after itself.
const JanitorName = "janitor"

// Clean is a janitor's whole life: it makes a folder, says where, and removes it when its launcher
// closes the pipe, which the kernel does for one that is killed. It makes the folder itself, so
// that there is no moment in which nobody would remove it. What lies at `also`, unless that is "", it removes
// as well.
func Clean(launcher io.Reader, out io.Writer, also string) error {
	signal.Ignore(append(ending, syscall.SIGPIPE)...)
	folder, err := os.MkdirTemp("", "epperf-")
	if err != nil {
		return fmt.Errorf("make a temporary folder: %w", err)
	}
	fmt.Fprintln(out, folder)
	_, _ = io.Copy(io.Discard, launcher) // its end is all there is to read
	var left error
	if also != "" {
		left = os.RemoveAll(also)
	}
	return errors.Join(left, os.RemoveAll(folder))
}

// janitorTimeout bounds how long a janitor takes to begin and to end.
const janitorTimeout = 5 * time.Second

// A Workspace is a temporary folder that is removed also if this process is killed.
type Workspace struct {
	Folder  string
	janitor *exec.Cmd
	hold    io.Closer // the janitor's standard input
}

// NewWorkspace starts a janitor, in a session of its own so that signals for a terminal's or
// scheduler's group do not reach it. What lies at `also` when it ends is removed with it; "" for nothing.
func NewWorkspace(also string) (*Workspace, error) {
	janitor := exec.Command("/proc/self/exe", JanitorName)
	janitor.Args[0] = os.Args[0]
	janitor.Dir = "/"
	if also != "" {
		path, err := filepath.Abs(also)
		if err != nil {
			return nil, fmt.Errorf("start the janitor: %w", err)
		}
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("%s is there: does another run have this --run-id and --output? if not, remove it", path)
		}
		janitor.Args = append(janitor.Args, path)
	}
	janitor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	var said strings.Builder
	janitor.Stderr = &said
	hold, err := janitor.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the janitor: %w", err)
	}
	out, err := janitor.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the janitor: %w", err)
	}
	if err := janitor.Start(); err != nil {
		return nil, fmt.Errorf("start the janitor: %w", err)
	}
	w := &Workspace{janitor: janitor, hold: hold}
	overdue := time.AfterFunc(janitorTimeout, func() { _ = janitor.Process.Kill() })
	folder, err := bufio.NewReader(out).ReadString('\n')
	overdue.Stop()
	if err != nil {
		hold.Close()
		_ = janitor.Wait() // it says below what was wrong
		return nil, fmt.Errorf("start the janitor: %s", strings.TrimPrefix(strings.TrimSpace(said.String()), "perf: "))
	}
	w.Folder = strings.TrimSuffix(folder, "\n")
	return w, nil
}

// Close has the janitor remove the folder, and waits for it.
func (w *Workspace) Close() error {
	w.hold.Close()
	overdue := time.AfterFunc(janitorTimeout, func() { _ = w.janitor.Process.Kill() })
	defer overdue.Stop()
	if err := w.janitor.Wait(); err != nil {
		return errors.Join(fmt.Errorf("remove %s: %w", w.Folder, err), os.RemoveAll(w.Folder))
	}
	return nil
}
