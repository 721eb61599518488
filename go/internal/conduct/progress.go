package conduct

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// steps are the barriers between the parts of a case, and what comes after each.
var steps = []struct{ barrier, then string }{
	{"", "connecting"},
	{"connected", "checking"},
	{"soaking", "soaking"},
	{"checked", "warming up"},
	{"timing", "measuring"},
	{"timed", "checking"},
	{"cleanup", "ending"},
}

// barWidth is the number of cells of a full bar.
const barWidth = 30

// A progress shows how far a run is, in one line on a terminal that it keeps redrawing. Elsewhere
// it only hands on what is written to it.
type progress struct {
	mu      sync.Mutex
	out     io.Writer
	shown   bool // on a terminal, and not quiet
	started time.Time
	step    int
	stop    chan struct{}
	done    sync.WaitGroup
}

func newProgress(out io.Writer, quiet bool) *progress {
	file, ok := out.(*os.File)
	p := &progress{
		out:     out,
		shown:   ok && !quiet && term.IsTerminal(int(file.Fd())),
		started: time.Now(),
		stop:    make(chan struct{}),
	}
	if p.shown {
		p.done.Go(p.redraw)
	}
	return p
}

// redraw shows the seconds that pass.
func (p *progress) redraw() {
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p.mu.Lock()
			p.draw()
			p.mu.Unlock()
		case <-p.stop:
			return
		}
	}
}

// met moves the bar to a barrier that all ranks have left.
func (p *progress) met(barrier string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, step := range steps {
		if step.barrier == barrier {
			p.step = i
			p.draw()
		}
	}
}

// Write puts lines above the bar.
func (p *progress) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	n, err := p.out.Write(text)
	p.draw()
	return n, err
}

// close removes the bar.
func (p *progress) close() {
	close(p.stop)
	p.done.Wait()
	p.clear()
	p.shown = false
}

func (p *progress) draw() {
	if p.shown {
		fmt.Fprint(p.out, "\r"+bar(p.step, time.Since(p.started))+"\x1b[K")
	}
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// bar is the line at a step.
func bar(step int, passed time.Duration) string {
	full := step * barWidth / (len(steps) - 1)
	return fmt.Sprintf("[%s%s] %s, %d s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full),
		steps[step].then, int(passed.Seconds()))
}
