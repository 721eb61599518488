package rendezvous

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// tryTimeout bounds one operation, so that one sent to a dead member is tried elsewhere.
	tryTimeout = time.Second
	// retryFor is longer than a change of leader takes (1 to 2 s), and as long as a lease.
	retryFor = leaseTTL
	// retryPause keeps retries from flooding a server that comes back.
	retryPause = 50 * time.Millisecond
)

// retry does an operation until it succeeds, fails for good, or retryFor has passed.
func retry(ctx context.Context, what string, do func(context.Context) error) error {
	started := time.Now()
	for tries := 1; ; tries++ {
		try, cancel := context.WithTimeout(ctx, tryTimeout)
		err := do(try)
		cancel()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		}
		if permanent(err) {
			return fmt.Errorf("%s: %w", what, err)
		}
		if time.Since(started) > retryFor {
			return fmt.Errorf("%s: etcd did not answer in %d tries over %v: %w", what, tries, retryFor, err)
		}
		select {
		case <-time.After(retryPause):
		case <-ctx.Done():
		}
	}
}

// permanent reports whether trying again cannot help: a claim that is taken, or a refusal.
// Whatever else etcd or the network says may go away by itself.
func permanent(err error) bool {
	var claimed *ClaimedError
	if errors.As(err, &claimed) || clientv3.IsConnCanceled(err) { // the latter: our client is closed
		return true
	}
	for _, refusal := range []error{
		rpctypes.ErrRequestTooLarge, rpctypes.ErrLeaseNotFound, rpctypes.ErrPermissionDenied,
		rpctypes.ErrUserEmpty, rpctypes.ErrAuthFailed, rpctypes.ErrInvalidAuthToken,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
