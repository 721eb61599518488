package launch

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"github.com/epperf/epperf/go/internal/session"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A rank is one process and what is known of it.
type rank struct {
	number  int // among all ranks
	seat    int // the same in the plan that runs, where that numbers ranks by itself
	local   int // among this host's
	host    string
	process *exec.Cmd
	inProc  int // its number in /proc; 0 if that is not known
	peer    *session.Peer
	outbox  chan func(*session.Peer) error
	errors  *prefixed

	greeted      bool
	where        string // how far it came, for messages
	said         string // its last result's error
	results      int
	disconnected error // why nothing more can be heard from it
	exited       bool
	stopped      bool // when it was last looked at
	ended        bool // both of these
	leaves       bool // it was told to
}

// send queues a message. A rank never has more than an answer and an abort to come; a full queue
// means that it does not read, and then its killing comes too.
func (r *rank) send(message func(*session.Peer) error) {
	select {
	case r.outbox <- message:
	default:
	}
}

// start answers a Hello.
func (r *rank) start(plan *epperfv1.Plan, firstCase int, generation uint32) {
	r.where = "before its first meeting"
	r.send(func(peer *session.Peer) error {
		return peer.Start(&epperfv1.Start{Plan: plan, Rank: uint32(r.seat), FirstCase: uint32(firstCase), Generation: generation})
	})
}

// A starter starts processes from one thread and keeps that thread: PR_SET_PDEATHSIG goes by the
// parent's thread, and Go ends idle threads of its own accord.
type starter struct {
	work chan func()
	done chan struct{}
}

func newStarter() *starter {
	s := &starter{work: make(chan func()), done: make(chan struct{})}
	go s.serve(make(chan struct{}))
	return s
}

// serve does what start asks for, and closes locked once it has its thread. That is never the process's first:
// it does not end with a goroutine, and what is bound for ranks is what others would see of the launcher.
func (s *starter) serve(locked chan struct{}) {
	runtime.LockOSThread()
	if syscall.Gettid() == os.Getpid() {
		another := make(chan struct{})
		go s.serve(another) // which gets another one, as this is held
		<-another
		runtime.UnlockOSThread()
		return
	}
	close(locked)
	defer close(s.done)
	for do := range s.work { // never unlocked: the thread ends with this goroutine
		do()
	}
}

// stop ends the thread, and with it any process that start made and that is still there.
func (s *starter) stop() {
	close(s.work)
	<-s.done
}

// start starts one rank. Its standard output is not the report's, so it goes to stderr as well.
func (s *starter) start(config Config, number int, out *lines) (*rank, error) {
	peer, socket, err := session.Pair()
	if err != nil {
		return nil, err
	}
	defer socket.Close()
	prefixed := &prefixed{prefix: fmt.Sprintf("rank %d: ", number), out: out}
	process := exec.Command("/proc/self/exe", config.Args...)
	process.Args[0] = os.Args[0]
	process.Env = append(os.Environ(), config.Env...)
	local := number - config.NodeRank*int(config.Plan.GetRanksPerHost())
	if local < len(config.RankEnv) {
		process.Env = append(process.Env, config.RankEnv[local]...)
	}
	process.ExtraFiles = []*os.File{socket} // the first is session.RankFD
	process.Stdout, process.Stderr = prefixed, prefixed
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	process.WaitDelay = settle / 2 // for output, where someone else holds the pipe
	started := make(chan error, 1)
	s.work <- func() {
		if config.Place != nil {
			if err := config.Place(local); err != nil {
				started <- err
				return
			}
		}
		started <- process.Start()
	}
	if err := <-started; err != nil {
		peer.Close()
		return nil, err
	}
	return &rank{
		number:  number,
		seat:    number,
		host:    config.Host,
		process: process,
		inProc:  numberInProc(process.Process.Pid),
		peer:    peer,
		outbox:  make(chan func(*session.Peer) error, 4),
		errors:  prefixed,
		where:   "while it started",
	}, nil
}

// lines writes whole lines of several ranks to one place.
type lines struct {
	mu sync.Mutex
	to io.Writer
}

func (l *lines) write(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.to.Write(line) // where messages cannot be printed, there is nobody to tell
}

// maxLine bounds what is kept of a line that does not end.
const maxLine = 8 << 10

// A prefixed writer puts its prefix before each line. os/exec writes to it from one goroutine,
// and flush comes after.
type prefixed struct {
	prefix string
	out    *lines
	rest   []byte // of a line that has not ended
}

func (p *prefixed) Write(text []byte) (int, error) {
	written := len(text)
	for {
		line, rest, ended := bytes.Cut(text, []byte{'\n'})
		p.rest = append(p.rest, line...)
		if ended || len(p.rest) > maxLine {
			p.flush()
		}
		if !ended {
			return written, nil
		}
		text = rest
	}
}

// flush writes the line so far, if there is one.
func (p *prefixed) flush() {
	if len(p.rest) > 0 {
		p.out.write(fmt.Appendf(nil, "%s%s\n", p.prefix, p.rest))
	}
	p.rest = p.rest[:0]
}
