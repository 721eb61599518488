package conduct

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// A SignalError says that the user, or a scheduler, ended the run.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string {
	if e.Signal == syscall.SIGTERM {
		return "interrupted by SIGTERM"
	}
	return "interrupted by SIGINT"
}

// UntilSignal returns a context that ends with a *SignalError at SIGINT or SIGTERM. A second one
// does what it does by default: it kills this process, and the kernel its ranks.
func UntilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case which := <-signals:
			signal.Stop(signals)
			cancel(&SignalError{which})
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
