package session_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// fuzzBytes fit into a socket's buffer, so that no writer waits.
const fuzzBytes = 64 << 10

// Whatever the other end sends, each end of a session reads messages until it says what is wrong
// or that the other is gone; it neither panics nor waits for ever.
func FuzzMessages(f *testing.F) {
	for _, messages := range [][]proto.Message{
		{&epperfv1.FromRank{Kind: &epperfv1.FromRank_Hello{Hello: &epperfv1.Hello{Pid: 7, BuildId: "b"}}}},
		{
			&epperfv1.FromRank{Kind: &epperfv1.FromRank_Samples{Samples: &epperfv1.Samples{Rank: 1, DurationNs: []uint64{1, 2}}}},
			&epperfv1.FromRank{Kind: &epperfv1.FromRank_Result{Result: &epperfv1.RankResult{Rank: 1, Passed: true}}},
		},
		{
			&epperfv1.ToRank{Kind: &epperfv1.ToRank_Start{Start: &epperfv1.Start{Rank: 1, Plan: &epperfv1.Plan{RunId: "a"}}}},
			&epperfv1.ToRank{Kind: &epperfv1.ToRank_Blobs{Blobs: &epperfv1.Blobs{Name: "connect", Data: [][]byte{{1}, {2}}}}},
			&epperfv1.ToRank{Kind: &epperfv1.ToRank_Barrier{Barrier: &epperfv1.Barrier{Name: "connected", Epoch: 1}}},
			&epperfv1.ToRank{Kind: &epperfv1.ToRank_Abort{Abort: &epperfv1.Abort{Reason: "enough"}}},
		},
	} {
		var content bytes.Buffer
		for _, message := range messages {
			if _, err := protodelim.MarshalTo(&content, message); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(content.Bytes())
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) > fuzzBytes {
			return
		}
		launcherReads(t, content)
		rankReads(t, content)
	})
}

func launcherReads(t *testing.T, content []byte) {
	peer, file, err := session.Pair()
	if err != nil {
		t.Fatal(err)
	}
	defer peer.Close()
	if _, err := file.Write(content); err != nil {
		t.Fatal(err)
	}
	file.Close()
	for range len(content) + 1 { // a message takes at least a byte
		message, err := peer.Receive()
		if err != nil {
			return
		}
		if message.GetKind() == nil {
			t.Fatal("a message of no kind")
		}
	}
	t.Fatal("more messages than bytes")
}

func rankReads(t *testing.T, content []byte) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "launcher"), os.NewFile(uintptr(fds[1]), "rank")
	conn, err := session.NewConn(theirs)
	theirs.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := ours.Write(content); err != nil && !errors.Is(err, syscall.EPIPE) {
		t.Fatal(err)
	}
	// What the rank asks is not read: the launcher only ends what it has to say.
	if err := syscall.Shutdown(int(ours.Fd()), syscall.SHUT_WR); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	defer ours.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err = conn.Hello(ctx, "b"); err == nil {
		_, err = conn.Exchange(ctx, "connect", []byte("blob"))
	}
	for err == nil {
		err = conn.Barrier(ctx, "connected")
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.EOF) {
		t.Fatalf("the rank was left without a reason: %v", err)
	}
}
