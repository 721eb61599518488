package conduct

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/epperf/epperf/go/internal/native"
)

// ending are the signals by which a shell, a scheduler or a container ends a program: the terminal is
// gone, Ctrl-C, Ctrl-\, kill, Slurm's --signal, and a soft limit of CPU time.
var ending = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGXCPU,
}

// A SignalError says that the user, or a scheduler, ended the run.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string {
	number, _ := e.Signal.(syscall.Signal)
	text := "interrupted by " + unix.SignalName(number)
	if number == syscall.SIGXCPU {
		text += ", a limit of CPU time (ulimit -t)"
	}
	return text
}

// UntilSignal returns a context that ends with a *SignalError at the first of the ending signals that
// was not ignored when this program started, as SIGHUP is under nohup. A second one does what it does
// by default: most kill this process, and the kernel its ranks. Not so SIGHUP, of which the shell and
// the kernel send one each when a terminal closes.
//
// SIGPIPE is none of them: who reads stderr no more does not end a run.
func UntilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signal.Ignore(syscall.SIGPIPE)
	signals := make(chan os.Signal, 1)
	for _, which := range ending {
		if number, _ := which.(syscall.Signal); native.Ignored(number) {
			signal.Ignore(which) // Go itself acts on some
		} else {
			signal.Notify(signals, which)
		}
	}
	go func() {
		select {
		case which := <-signals:
			signal.Ignore(syscall.SIGHUP)
			signal.Stop(signals)
			cancel(&SignalError{which})
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}

// leaveSignals has a process that a launcher started leave them to it: a terminal and some schedulers
// signal every process. A limit of CPU time is each process's own, and a rank's ends the run.
func leaveSignals() {
	signal.Ignore(append(ending, syscall.SIGPIPE)...)
	launcher := syscall.Getppid()
	exceeded := make(chan os.Signal, 1)
	signal.Notify(exceeded, syscall.SIGXCPU)
	go func() {
		<-exceeded
		if syscall.Getppid() == launcher {
			_ = syscall.Kill(launcher, syscall.SIGXCPU) // one that has ended needs no word
		}
	}()
}
