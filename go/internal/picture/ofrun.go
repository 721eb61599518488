package picture

import (
	"fmt"
	"slices"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/table"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// ofRun returns the pictures of a run as a whole.
func ofRun(r *record.Record) []Picture {
	all := present(timeline(r.Trailer.GetMoments()))
	for number, host := range r.Header.GetHosts() {
		all = append(all, present(nearness(number, host))...)
	}
	return all
}

// A runLane is what a run does until it passes a point, from the point before on.
type runLane struct {
	name  string
	until []string
}

var lanes = []runLane{
	{"start etcd and join", []string{"joined"}},
	{"start ranks", []string{"ready"}},
	{"meet launchers", []string{"met"}},
	{"connect", []string{"connected"}},
	{"check", []string{"checked", "cleanup"}},
	{"warm up, flush caches", []string{"timing"}},
	{"measure", []string{"timed"}},
	{"soak", nil},
}

const (
	checkLane = 4
	soakLane  = 7
	// mostSpans are drawn: of more cases the first.
	mostSpans = 2000
)

// timeline shows what the run was doing when, by the points that it passed. Ranks start while the launcher
// joins, so these two begin together; all else follows one on the other.
func timeline(moments []*epperfv1.Moment) *Picture {
	s := &Spans{X: Axis{Label: "since the run began", Unit: table.Nanoseconds}}
	total, count := make([]float64, len(lanes)), make([]int, len(lanes))
	from, soaking := 0.0, false
	for _, moment := range moments {
		to := float64(moment.GetSinceStartNs())
		lane := slices.IndexFunc(lanes, func(l runLane) bool { return slices.Contains(l.until, moment.GetName()) })
		switch {
		case moment.GetName() == "soaking":
			lane, soaking = checkLane, true
		case soaking && lane == checkLane:
			lane, soaking = soakLane, false
		}
		if lane < 0 || to < 0 {
			continue
		}
		begin := from
		if moment.GetName() == "joined" || moment.GetName() == "ready" {
			begin = 0
		}
		if begin = min(begin, to); len(s.All) < mostSpans {
			s.All = append(s.All, Span{lane, begin, to})
		}
		total[lane] += to - begin
		count[lane]++
		from = max(from, to)
	}
	if len(s.All) == 0 || from == 0 {
		return nil
	}
	t := table.Table{Name: "timeline", Title: "Where the time went"}
	at := make([]int, len(lanes)) // of those that there is something in
	for lane := range lanes {
		if count[lane] > 0 {
			name := lanes[lane].name
			at[lane], s.Y.Names = len(s.Y.Names), append(s.Y.Names, name)
			t.Rows = append(t.Rows, table.Row{Name: "part", Label: name, Unit: table.Nanoseconds, Cells: []table.Cell{
				table.IntCell("times", count[lane]).In("count"), table.FloatCell("time", total[lane]),
				table.FloatCell("of the run", total[lane]/from).In(table.Ratio),
			}})
		}
	}
	for i := range s.All {
		s.All[i].Lane = at[s.All[i].Lane]
	}
	return &Picture{
		Name: "timeline", Title: "Time line of the run", Spans: s, Table: t,
		About: "What the ranks were doing together, by the clock of the launcher that keeps the record. Starting ranks and joining go on at once.",
	}
}

// wayWords are what nvidia-smi calls ways between devices, the nearest last.
var wayWords = []string{"not told", "SYS", "NODE", "PHB", "PXB", "PIX", "NVLink", "itself"}

// nearness shows how near a host's GPUs and NICs lie to each other.
func nearness(number int, host *epperfv1.Host) *Picture {
	near := host.GetNearness()
	devices := len(near.GetDevices())
	if devices < 2 || devices > mostRows || len(near.GetWays()) != devices*devices {
		return nil
	}
	names := make([]string, devices)
	for i, name := range near.GetDevices() {
		names[i] = table.Printable(name)
	}
	m := &Matrix{
		Rows: Axis{Label: "device", Names: names}, Columns: Axis{Label: "device", Names: names},
		Value: Axis{Label: "way"}, EachRow: 1, EachColumn: 1, Values: blank(devices, devices), Words: wayWords,
	}
	t := table.Table{Name: "nearness", Title: "Ways between devices"}
	for row, name := range names {
		line := table.Row{Name: "device", Label: name}
		for column, other := range names {
			way := near.GetWays()[row*devices+column]
			m.Values[row][column] = float64(wayOf(way))
			line.Cells = append(line.Cells, table.TextCell(other, way))
		}
		t.Rows = append(t.Rows, line)
	}
	return &Picture{
		Name: fmt.Sprint("nearness-", number), Title: "GPUs and NICs of " + table.Printable(host.GetName()), Matrix: m, Table: t,
		About: "How near the devices of a host lie to each other, in the words of nvidia-smi topo: the lighter the nearer. A GPU should use the NICs that are lightest in its row.",
	}
}

func wayOf(word string) int {
	if word == "X" {
		return len(wayWords) - 1
	}
	if len(word) > 2 && word[:2] == "NV" {
		return slices.Index(wayWords, "NVLink")
	}
	return max(0, slices.Index(wayWords, word))
}
