package record_test

import (
	"os"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A longer header and a shorter one: nothing of the first may be left.
func TestHostsReplaceThoseOfTheHeader(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	for name, hosts := range map[string][]*epperfv1.Host{
		"more": {{Name: "node-a"}, {Name: "node-b"}, {Name: "node-c"}},
		"less": {{Name: "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := record.Create(t.TempDir(), run.Header)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.SetHosts(hosts); err != nil {
				t.Fatal(err)
			}
			if err := w.WriteSamples(run.Samples[0]); err != nil {
				t.Fatal(err)
			}
			path, err := w.Close(epperfv1.Trailer_STATUS_FAILED, "")
			if err != nil {
				t.Fatal(err)
			}
			kept, err := record.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := kept.Header.GetHosts(); len(got) != len(hosts) || got[0].GetName() != hosts[0].GetName() {
				t.Errorf("hosts %v", got)
			}
			if len(kept.Rank(0, 0).Pass(0)) == 0 {
				t.Error("the samples are gone")
			}
		})
	}
}

func TestHostsComeFirst(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	w, err := record.Create(t.TempDir(), run.Header)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteSamples(run.Samples[0]); err != nil {
		t.Fatal(err)
	}
	if err := w.SetHosts(nil); err == nil {
		t.Error("hosts were replaced although samples follow them")
	}
}

func TestPartsMayShareAFolder(t *testing.T) {
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	folder := t.TempDir()
	for node := range uint32(2) {
		run.Header.PartOfNode = &node
		w, err := record.Create(folder, run.Header)
		if err != nil {
			t.Fatal(err)
		}
		path, err := w.Close(epperfv1.Trailer_STATUS_FAILED, "")
		if err != nil {
			t.Fatal(err)
		}
		kept, err := record.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if header := kept.Header; header.PartOfNode == nil || header.GetPartOfNode() != node {
			t.Errorf("part of node %v, want %d", header.PartOfNode, node)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 2 || !strings.HasSuffix(files[1].Name(), "-node1.epperf") {
		t.Errorf("files %v, %v", files, err)
	}
}
