package main

import (
	"bytes"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// All numbers of one command are read by one rule.
func TestNumbersAreDecimal(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := perf([]string{
		"perf", "--explain", "--iters=0100", "--experts-per-rank=010", "--tokens=0512", "--num-processes=02",
		"--hidden=0128", "--routing=hot:010", "--seed=017", "--timeout=060", "--device=cpu",
	}, &stdout, &stderr)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, &stderr)
	}
	for _, want := range []string{"Tokens: 512", "10/rank", "100 iterations", "Hidden: 128", "hot:10", "17", "60s"} {
		if !strings.Contains(strings.ReplaceAll(stdout.String(), "1m0s", "60s"), want) {
			t.Errorf("no %q in:\n%s", want, &stdout)
		}
	}
}

func TestNoFlagReadsNumbersByAnotherRule(t *testing.T) {
	flags := runFlags()
	for _, command := range []*cli.Command{calibrateCommand(), coordinatorCommand(), topoCommand(), rankCommand(), janitorCommand()} {
		flags = append(flags, command.Flags...)
	}
	for _, flag := range flags {
		switch flag.(type) {
		case *cli.StringFlag, *cli.BoolFlag, *cli.GenericFlag:
		default:
			t.Errorf("--%s is a %T, which may take 010 for 8; make it a decimal", flag.Names()[0], flag)
		}
	}
}

func TestWhatIsNoDecimalNumberIsRefused(t *testing.T) {
	for _, argument := range []string{
		"--iters=0x40", "--iters=1_000", "--iters=1e3", "--iters=", "--iters= 5", "--seed=0b1", "--seed=-1",
		"--tokens=0x10", "--tokens=1_0", "--routing=hot:0x1", "--routing=zipf:0x1p0", "--routing=zipf:0x1_0p0", "--soak=0x10",
		"--timeout=0x10", "--nic-map=0x0=mlx5_0",
	} {
		var stdout, stderr bytes.Buffer
		code := perf([]string{"perf", "--explain", "--device=cpu", argument}, &stdout, &stderr)
		flag, _, _ := strings.Cut(argument, "=")
		if code != 2 || strings.Count(stderr.String(), "\n") != 1 || !strings.HasPrefix(stderr.String(), "perf: "+flag) {
			t.Errorf("%s: exit code %d, %q", argument, code, &stderr)
		}
	}
}

func TestDecimalKeepsItsValue(t *testing.T) {
	for _, text := range []string{"0", "-7", strconv.Itoa(math.MaxInt), strconv.Itoa(math.MinInt)} {
		number := newDecimal(1)
		if err := number.Set(text); err != nil || number.String() != text {
			t.Errorf("%s became %s, %v", text, number, err)
		}
	}
	seed := newDecimal(uint64(1))
	if err := seed.Set("18446744073709551615"); err != nil || seed.String() != "18446744073709551615" {
		t.Errorf("the largest seed became %s, %v", seed, err)
	}
	if err := seed.Set("18446744073709551616"); err != strconv.ErrRange {
		t.Errorf("one more: %v", err)
	}
}
