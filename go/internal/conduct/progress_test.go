package conduct

import (
	"bytes"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	for want, got := range map[string]string{
		"[..............................] connecting, 0 s": bar(0, 900*time.Millisecond, 80),
		"[####################..........] measuring, 61 s": bar(4, 61*time.Second, 50),
		"[##############################] ending, 3600 s":  bar(len(steps)-1, time.Hour, 49),
		"[########....] measuring, 1 s":                    bar(4, time.Second, 30),
		"[###..] measuring, 1 s":                           bar(4, time.Second, 23),
		"measuring, 1 s":                                   bar(4, time.Second, 22),
		"measuring":                                        bar(4, time.Second, 10),
		"":                                                 bar(4, time.Second, 1),
	} {
		if got != want {
			t.Errorf("bar %q, want %q", got, want)
		}
	}
}

func TestNoBarIsWiderThanItsTerminal(t *testing.T) {
	for columns := range 100 {
		for step := range steps {
			if got := bar(step, 100*time.Second, columns); len(got) > max(columns-1, 0) {
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
		if want := "\r" + bar(0, 0, columns) + "\x1b[K"; terminal.String() != want {
			t.Errorf("%d columns: %q, want %q", columns, &terminal, want)
		}
	}
}

func TestNoBarInAPipe(t *testing.T) {
	var pipe bytes.Buffer
	p := newProgress(&pipe, false)
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
	want := "\r\x1b[Krank 1: hello\n\r" + bar(4, 0, 80) + "\x1b[K\r\x1b[K"
	if terminal.String() != want {
		t.Errorf("%q, want %q", &terminal, want)
	}
}
