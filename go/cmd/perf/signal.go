package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// A signalError says that the user, or a scheduler, ended the run.
type signalError struct{ signal os.Signal }

func (e *signalError) Error() string {
	if e.signal == syscall.SIGTERM {
		return "interrupted by SIGTERM"
	}
	return "interrupted by SIGINT"
}

// untilSignal returns a context that ends with a *signalError at SIGINT or SIGTERM. A second one
// does what it does by default: it kills this process, and the kernel its ranks.
func untilSignal(parent context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		select {
		case which := <-signals:
			signal.Stop(signals)
			cancel(&signalError{which})
		case <-ctx.Done():
			signal.Stop(signals)
		}
	}()
	return ctx, func() { cancel(context.Canceled) }
}
