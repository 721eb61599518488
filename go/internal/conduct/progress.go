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

const (
	// barWidth is the number of cells of a full bar, and minBarWidth of one that still says something.
	barWidth    = 30
	minBarWidth = 5
	// usualWidth is that of a terminal which does not tell its own.
	usualWidth = 80
)

// A progress shows how far a run is, in one line on a terminal that it keeps redrawing. Elsewhere
// it only hands on what is written to it.
type progress struct {
	mu      sync.Mutex
	out     io.Writer
	shown   bool       // on a terminal that can, and not quiet
	width   func() int // columns of the terminal, which change with its window
	started time.Time
	step    int
	stop    chan struct{}
	done    sync.WaitGroup
}

func newProgress(out io.Writer, quiet bool) *progress {
	file, ok := out.(*os.File)
	p := &progress{
		out:     out,
		shown:   ok && !quiet && redraws(os.Getenv) && term.IsTerminal(int(file.Fd())),
		width:   func() int { return widthOf(file) },
		started: time.Now(),
		stop:    make(chan struct{}),
	}
	if p.shown {
		p.done.Go(p.redraw)
	}
	return p
}

// redraws reports whether a terminal, by its environment, can draw a line anew, and somebody looks at
// it: logs of continuous integration keep every state of the bar.
func redraws(environment func(string) string) bool {
	name := environment("TERM")
	return name != "" && name != "dumb" && environment("CI") == ""
}

func widthOf(terminal *os.File) int {
	width, _, err := term.GetSize(int(terminal.Fd()))
	if err != nil || width <= 0 {
		return usualWidth
	}
	return width
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
		fmt.Fprint(p.out, "\r"+bar(p.step, time.Since(p.started), p.width())+"\x1b[K")
	}
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// bar is the line at a step. It leaves the last of the columns free, after which terminals begin a
// new line: first the bar gives way, then the words.
func bar(step int, passed time.Duration, columns int) string {
	words := fmt.Sprintf("%s, %d s", steps[step].then, int(passed.Seconds()))
	room := max(columns-1, 0)
	cells := min(barWidth, room-len(words)-len("[] "))
	if cells < minBarWidth {
		return words[:min(len(words), room)]
	}
	full := step * cells / (len(steps) - 1)
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", cells-full), words)
}
