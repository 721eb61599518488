package report

import (
	"bytes"
	"fmt"
	"time"

	"github.com/epperf/epperf/go/internal/record"
)

// An Explanation is what can be said of a run before it is made.
type Explanation struct {
	// Summary is of a record without ranks.
	Summary *record.Summary
	Routing string
	Dtype   string
	Seed    uint64
	// Region is what all ranks reach of each other, part by part.
	Region []Part
	// Private is what a rank has besides, at most, part by part.
	Private []Part
	// Output is rows that a rank has room for.
	Output OutputRows
	// RanksHere are the ranks of this host, and NeededBytes is what they take together.
	RanksHere   int
	NeededBytes uint64
	// GPU is what ranks take of a GPU's memory, where the region and Private then are; nil on CPUs.
	GPU *GPUMemory
	// AvailableBytes is what AvailableBy leaves them; "" if the machine tells no limit.
	AvailableBytes uint64
	AvailableBy    string
	// Traffic is the mean over ranks.
	Traffic              *record.Bytes
	Timeout, WaitTimeout time.Duration
}

// A GPUMemory is what the ranks of one GPU, of those with most, need of it.
type GPUMemory struct {
	Name                  string
	Ranks                 int
	NeededBytes, HasBytes uint64
}

// OutputRows are the rows of a rank's outputs, and of what its experts make of them, three sets.
type OutputRows struct {
	// Reserved rows are what any routing could fill, and take Bytes; of the run's own routing Received
	// are filled at most.
	Reserved, Bytes, Received uint64
}

// A Part is a piece of memory.
type Part struct {
	Name  string
	Bytes uint64
}

// Text returns what perf --explain prints.
func (e *Explanation) Text() []byte {
	var text bytes.Buffer
	writeHeader(&text, e.Summary, &e.Summary.Cases[0])
	fmt.Fprintf(&text, "Routing: %s, seed %d; rows travel as %s and come back as bf16\n\n", e.Routing, e.Seed, e.Dtype)
	where := "Memory of a rank (bytes)"
	if e.GPU != nil {
		where = "Memory of a rank on its GPU (bytes)"
	}
	fmt.Fprintln(&text, where)
	region := "region, mapped by every rank"
	if e.Summary.Backend != "ipc" {
		region = "region, written by every rank"
	}
	writeParts(&text, region, e.Region)
	writeParts(&text, "of its own, at most", e.Private)
	writeOutputRows(&text, e.Output, e.GPU != nil)
	fmt.Fprintln(&text)
	memory := "Memory"
	if gpu := e.GPU; gpu != nil {
		memory = "Host memory"
		fmt.Fprintf(&text, "Memory of a GPU with %s: %s bytes", plural(gpu.Ranks, "rank"), thousands(gpu.NeededBytes))
		relation := " of"
		if gpu.NeededBytes > gpu.HasBytes {
			relation = ", more than the"
		}
		fmt.Fprintf(&text, "%s %s that %s has\n", relation, thousands(gpu.HasBytes), printable(gpu.Name))
	}
	fmt.Fprintf(&text, "%s of %s: %s bytes", memory, plural(e.RanksHere, "rank"), thousands(e.NeededBytes))
	switch {
	case e.AvailableBy == "":
		fmt.Fprintln(&text, "; this machine does not tell what it has")
	case e.NeededBytes > e.AvailableBytes:
		fmt.Fprintf(&text, ", more than the %s that %s leaves\n", thousands(e.AvailableBytes), e.AvailableBy)
	default:
		fmt.Fprintf(&text, " of %s that %s leaves\n", thousands(e.AvailableBytes), e.AvailableBy)
	}
	fmt.Fprintf(&text, "Bytes a rank: %s\n", counts(e.Traffic))
	fmt.Fprintf(&text, "Limits: %v for every wait for a peer, %v for the whole run\n", e.WaitTimeout, e.Timeout)
	return text.Bytes()
}

// writeParts writes parts below their sum.
func writeParts(text *bytes.Buffer, name string, parts []Part) {
	var sum uint64
	for _, part := range parts {
		sum += part.Bytes
	}
	fmt.Fprintf(text, "  %-30s %16s\n", name, thousands(sum))
	for _, part := range parts {
		fmt.Fprintf(text, "    %-28s %16s\n", part.Name, thousands(part.Bytes))
	}
}

// writeOutputRows says what is kept for rows that may never come.
func writeOutputRows(text *bytes.Buffer, rows OutputRows, onGPU bool) {
	rest := "the rest takes no memory"
	if onGPU {
		rest = "the GPU has memory for all of them, its host for these"
	}
	fmt.Fprintf(text, "  Rows of outputs: %s reserved (%s bytes, three sets of experts' outputs included), at most %s received; %s\n",
		thousands(rows.Reserved), thousands(rows.Bytes), thousands(rows.Received), rest)
}

func counts(b *record.Bytes) string {
	return fmt.Sprintf("selections=%s ranks=%s remote=%s", thousands(b.Selections), thousands(b.Ranks), thousands(b.Remote))
}
