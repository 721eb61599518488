package conduct

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// A step is a barrier between two parts of a case, and what comes after it.
type step struct{ barrier, then string }

var steps = []step{
	{"", "connecting"},
	{"connected", "checking"},
	{"soaking", "soaking"},
	{"checked", "warming up"},
	{"timing", "measuring"},
	{"timed", "checking"},
	{lastBarrier, "ending"},
}

// tells reports whether a barrier is between two parts of a case.
func tells(barrier string) bool {
	return slices.Contains([]string{joinedPoint, readyPoint, metPoint}, barrier) ||
		slices.ContainsFunc(steps, func(s step) bool { return s.barrier == barrier })
}

// lastBarrier ends a case.
const lastBarrier = "cleanup"

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
	at      position
	stop    chan struct{}
	done    sync.WaitGroup
}

// A position is how far a run is.
type position struct {
	step int
	// The case that runs, of so many, and the first that this run measures.
	of, cases, first int
	passed           time.Duration
	// inCases is how long the cases took that this run has ended.
	inCases time.Duration
}

func newProgress(out io.Writer, quiet bool, cases int) *progress {
	file, ok := out.(*os.File)
	p := &progress{
		out:     out,
		shown:   ok && !quiet && redraws(os.Getenv) && term.IsTerminal(int(file.Fd())),
		width:   func() int { return widthOf(file) },
		started: time.Now(),
		at:      position{cases: cases},
		stop:    make(chan struct{}),
	}
	if p.shown {
		p.done.Go(p.redraw)
	}
	return p
}

// begin has the run begin with a case.
func (p *progress) begin(first int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at.of, p.at.first = first, first
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
			p.at.step = i
		}
	}
	if barrier == lastBarrier && p.at.of+1 < p.at.cases {
		p.at.of, p.at.step, p.at.inCases = p.at.of+1, 0, time.Since(p.started)
	}
	p.draw()
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
		at := p.at
		at.passed = time.Since(p.started)
		fmt.Fprint(p.out, "\r"+bar(at, p.width())+"\x1b[K")
	}
}

func (p *progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

// words say how far a run is; of several cases also which it is, and how long the rest takes at the mean
// of those that ended. They are in an order that is drawn, so their mean is that of the others.
func (at position) words() string {
	words := fmt.Sprintf("%s, %d s", steps[at.step].then, int(at.passed.Seconds()))
	if at.cases < 2 {
		return words
	}
	words = fmt.Sprintf("case %d of %d, %s", at.of+1, at.cases, words)
	if ended := at.of - at.first; ended > 0 {
		each := at.inCases / time.Duration(ended)
		left := max(0, each*time.Duration(at.cases-at.of)-(at.passed-at.inCases))
		words += fmt.Sprintf(", about %d s left", int(left.Seconds()+0.5))
	}
	return words
}

// share is how much of the run is over, as a part of one.
func (at position) share() float64 {
	inCase := float64(at.step) / float64(len(steps)-1)
	return (float64(at.of) + inCase) / float64(max(at.cases, 1))
}

// bar is the line at a position. It leaves the last of the columns free, after which terminals begin a
// new line: first the bar gives way, then the words.
func bar(at position, columns int) string {
	words := at.words()
	room := max(columns-1, 0)
	cells := min(barWidth, room-len(words)-len("[] "))
	if cells < minBarWidth {
		return words[:min(len(words), room)]
	}
	full := int(at.share()*float64(cells) + 1e-9)
	return fmt.Sprintf("[%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", cells-full), words)
}
