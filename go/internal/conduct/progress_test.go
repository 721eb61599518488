package conduct

import (
	"bytes"
	"testing"
	"time"
)

func TestBar(t *testing.T) {
	for want, got := range map[string]string{
		"[..............................] connecting, 0 s": bar(0, 900*time.Millisecond),
		"[####################..........] measuring, 61 s": bar(4, 61*time.Second),
		"[##############################] ending, 3600 s":  bar(len(steps)-1, time.Hour),
	} {
		if got != want {
			t.Errorf("bar %q, want %q", got, want)
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
	p := &progress{out: &terminal, shown: true, started: time.Now(), stop: make(chan struct{})}
	p.met("timing")
	terminal.Reset()
	p.Write([]byte("rank 1: hello\n"))
	p.close()
	want := "\r\x1b[Krank 1: hello\n\r" + bar(4, 0) + "\x1b[K\r\x1b[K"
	if terminal.String() != want {
		t.Errorf("%q, want %q", &terminal, want)
	}
}
