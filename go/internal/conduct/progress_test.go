package conduct

import (
	"bytes"
	"testing"
	"time"
)

// one is a position in a run of one case.
func one(step int, passed time.Duration) position {
	return position{step: step, cases: 1, passed: passed}
}

func TestBar(t *testing.T) {
	for want, got := range map[string]string{
		"[..............................] connecting, 0 s": bar(one(0, 900*time.Millisecond), 80),
		"[####################..........] measuring, 61 s": bar(one(4, 61*time.Second), 50),
		"[##############################] ending, 3600 s":  bar(one(len(steps)-1, time.Hour), 49),
		"[########....] measuring, 1 s":                    bar(one(4, time.Second), 30),
		"[###..] measuring, 1 s":                           bar(one(4, time.Second), 23),
		"measuring, 1 s":                                   bar(one(4, time.Second), 22),
		"measuring":                                        bar(one(4, time.Second), 10),
		"":                                                 bar(one(4, time.Second), 1),
	} {
		if got != want {
			t.Errorf("bar %q, want %q", got, want)
		}
	}
}

func TestBarOfASweepSaysWhichCaseAndHowLong(t *testing.T) {
	for name, test := range map[string]struct {
		at   position
		want string
	}{
		"the first": {position{step: 4, cases: 54, passed: 3 * time.Second}, "case 1 of 54, measuring, 3 s"},
		"the tenth": {
			position{step: 1, of: 9, cases: 54, passed: 20 * time.Second, inCases: 18 * time.Second},
			"case 10 of 54, checking, 20 s, about 88 s left",
		},
		"gone on with": {
			position{of: 51, cases: 54, first: 50, passed: 3 * time.Second, inCases: 2 * time.Second},
			"case 52 of 54, connecting, 3 s, about 5 s left",
		},
		"longer than the others": {
			position{of: 53, cases: 54, first: 50, passed: 33 * time.Second, inCases: 3 * time.Second},
			"case 54 of 54, connecting, 33 s, about 0 s left",
		},
	} {
		if got := test.at.words(); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	p := &progress{at: position{cases: 3}, started: time.Now()}
	for _, barrier := range []string{"connected", "timing", "cleanup", "connected"} {
		p.met(barrier)
	}
	if p.at.of != 1 || p.at.step != 1 {
		t.Errorf("after a case and a meeting: %+v", p.at)
	}
}

func TestNoBarIsWiderThanItsTerminal(t *testing.T) {
	for columns := range 100 {
		for step := range steps {
			if got := bar(position{step: step, of: 11, cases: 54, passed: 100 * time.Second, inCases: time.Second}, columns); len(got) > max(columns-1, 0) {
				t.Errorf("%d columns: %q", columns, got)
			}
		}
	}
}

func TestBarOnlyWhereALineCanBeDrawnAnew(t *testing.T) {
	for environment, want := range map[[2]string]bool{
		{"xterm-256color", ""}: true,
		{"linux", ""}:          true,
		{"dumb", ""}:           false,
		{"", ""}:               false,
		{"xterm", "true"}:      false,
	} {
		got := redraws(func(name string) string { return map[string]string{"TERM": environment[0], "CI": environment[1]}[name] })
		if got != want {
			t.Errorf("TERM=%s CI=%s: %t", environment[0], environment[1], got)
		}
	}
}

func TestBarGoesByTheWidthOfTheMoment(t *testing.T) {
	var terminal bytes.Buffer
	columns := 80
	p := &progress{out: &terminal, shown: true, width: func() int { return columns }, started: time.Now()}
	for _, columns = range []int{80, 25, 200} {
		terminal.Reset()
		p.draw()
		if want := "\r" + bar(one(0, 0), columns) + "\x1b[K"; terminal.String() != want {
			t.Errorf("%d columns: %q, want %q", columns, &terminal, want)
		}
	}
}

func TestNoBarInAPipe(t *testing.T) {
	var pipe bytes.Buffer
	p := newProgress(&pipe, false, 1)
	p.met("connected")
	p.Write([]byte("rank 1: hello\n"))
	p.close()
	if pipe.String() != "rank 1: hello\n" {
		t.Errorf("%q", &pipe)
	}
}

func TestLinesGoAboveTheBar(t *testing.T) {
	var terminal bytes.Buffer
	p := &progress{out: &terminal, shown: true, width: func() int { return 80 }, started: time.Now(), stop: make(chan struct{})}
	p.met("timing")
	terminal.Reset()
	p.Write([]byte("rank 1: hello\n"))
	p.close()
	want := "\r\x1b[Krank 1: hello\n\r" + bar(one(4, 0), 80) + "\x1b[K\r\x1b[K"
	if terminal.String() != want {
		t.Errorf("%q, want %q", &terminal, want)
	}
}
