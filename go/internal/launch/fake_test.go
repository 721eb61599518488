package launch_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// The fake rank: this test binary executed again with these variables.
const (
	fakeEnv   = "EPPERF_FAKE_RANK"    // what one of the ranks does instead of its part
	culpritTo = "EPPERF_FAKE_CULPRIT" // the file that the one creates, with its pid
	ownEnv    = "EPPERF_FAKE_OWN"     // what one rank alone has
	build     = "b1"
)

// fakeRank is the whole program of a rank. It returns the exit code.
func fakeRank() int {
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM)
	part := os.Getenv(fakeEnv)
	mine := ""
	if file, err := os.OpenFile(os.Getenv(culpritTo), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600); err == nil {
		mine = part
		fmt.Fprint(file, os.Getpid())
		file.Close()
	}
	if err := playRank(mine, part); err != nil {
		var abort *session.AbortError
		if !errors.As(err, &abort) {
			fmt.Fprintf(os.Stderr, "fake: %v\n", err)
		}
		return 1
	}
	return 0
}

// playRank is a rank's part, or what it does instead; someone is what one of the ranks does.
func playRank(mine, someone string) error {
	switch mine {
	case "die at once":
		die()
	case "exit at once":
		os.Exit(3)
	case "send garbage":
		os.NewFile(session.RankFD, "").Write([]byte(strings.Repeat("\xff", 64)))
		hang()
	}
	if mine == "leave someone behind" {
		if err := leaveSomeone(); err != nil {
			return err
		}
	}
	conn, err := session.FromFD(session.RankFD)
	if err != nil {
		return err
	}
	ctx, cancel := conn.Bind(context.Background())
	defer cancel()
	if mine == "barrier before hello" {
		return conn.Barrier(ctx, "connected")
	}
	if mine == "be of another build" {
		_, err := conn.Hello(ctx, "b2")
		return err
	}
	if someone == "stay" {
		return stay(ctx, conn)
	}
	start, err := conn.Hello(ctx, build)
	if err != nil {
		return err
	}
	blobs, err := conn.Exchange(ctx, "connect", fmt.Append(nil, start.GetRank()))
	if err != nil {
		return err
	}
	for rank, blob := range blobs {
		if string(blob) != fmt.Sprint(rank) {
			return fmt.Errorf("blob %d is %q", rank, blob)
		}
	}
	if err := conn.Barrier(ctx, "connected"); err != nil {
		return err
	}
	switch {
	case mine == "die in a barrier":
		sent, cancel := context.WithCancel(ctx)
		cancel() // sends, and does not wait
		conn.Barrier(sent, "warmup")
		die()
	case mine == "come too late", someone == "die in a barrier":
		<-ctx.Done()
		return context.Cause(ctx)
	case mine == "meet elsewhere":
		return conn.Barrier(ctx, "lunch")
	}
	if err := conn.Barrier(ctx, "warmup"); err != nil {
		return err
	}
	if mine != someone { // the others measure until they are told
		<-ctx.Done()
		return context.Cause(ctx)
	}
	return measure(ctx, conn, mine, start.GetRank())
}

func measure(ctx context.Context, conn *session.Conn, mine string, rank uint32) error {
	switch mine {
	case "die while it measures":
		die()
	case "exit without results":
		return nil
	case "hang up":
		conn.Close()
		hang()
	case "stop":
		syscall.Kill(os.Getpid(), syscall.SIGSTOP)
		hang() // the signal may take a moment
	case "idle":
		<-ctx.Done()
		return context.Cause(ctx)
	case "report for another":
		rank++
	case "fail":
		conn.Result(&epperfv1.RankResult{Rank: rank, Error: "wait: peer 0 is silent"})
		return &session.AbortError{}
	}
	fmt.Fprintf(os.Stderr, "measured%s\n", os.Getenv(ownEnv))
	if err := conn.Samples(&epperfv1.Samples{Rank: rank, DurationNs: []uint64{1, 2}}); err != nil {
		return err
	}
	return conn.Result(&epperfv1.RankResult{Rank: rank, Passed: true})
}

// leaveSomeone starts a process that holds this one's stderr and session for some seconds.
func leaveSomeone() error {
	heir := exec.Command("/proc/self/exe")
	heir.Env = append(os.Environ(), fakeEnv+"=heir")
	heir.Stderr = os.Stderr
	socket, err := syscall.Dup(session.RankFD)
	if err != nil {
		return err
	}
	heir.ExtraFiles = []*os.File{os.NewFile(uintptr(socket), "")}
	defer heir.ExtraFiles[0].Close()
	return heir.Start()
}

func die() { syscall.Kill(os.Getpid(), syscall.SIGKILL); hang() }

// hang outlives any test; the launcher or the kernel ends it.
func hang() { time.Sleep(time.Minute) }

// stay is a rank of a crew, from plan to plan.
func stay(ctx context.Context, conn *session.Conn) error {
	for {
		start, err := conn.Hello(ctx, build)
		if err != nil {
			return err
		}
		generation, leave := conn.BindGeneration(ctx)
		result := &epperfv1.RankResult{Rank: start.GetRank(), Passed: true, Work: &epperfv1.PhaseWork{Pid: uint32(os.Getpid())}}
		if err := conn.Barrier(generation, "connected"); err != nil {
			return err
		}
		if len(start.GetPlan().GetCases()[0].GetPhase().GetKilled()) > 0 {
			<-generation.Done()
		}
		leave()
		if err := conn.Result(result); err != nil {
			return err
		}
	}
}
