package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/plan"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
	"github.com/epperf/epperf/go/internal/report"
)

// Three launchers in this process, so that the limit can be one which a small run is above: each
// keeps its ranks' samples, and no record claims to be the whole.
func TestSamplesAboveTheLimitStayInParts(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	server, err := embedded.Start(ctx, embedded.Config{Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	options := plan.Defaults()
	options.RunID, options.Nodes, options.NumProcesses = "r1", 3, 2
	options.Tokens, options.Hidden, options.Iters = "16", 128, 5
	p, err := plan.New(options)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	var stdout, stderr [3]bytes.Buffer
	var launchers sync.WaitGroup
	for node := range 3 {
		launchers.Go(func() {
			err := conduct.Run{
				Plan:          p,
				Party:         conduct.Party{Nodes: 3, NodeRank: node, Endpoints: []string{server.Endpoint()}},
				Output:        folder,
				RankArguments: rankArguments,
				Stdout:        &stdout[node],
				Stderr:        &stderr[node],
				Quiet:         true,
				GatherBytes:   6*5*4 - 1, // four bytes a sample
			}.Do(ctx)
			if err != nil {
				t.Errorf("node %d: %v", node, err)
			}
		})
	}
	launchers.Wait()
	for node := range 3 {
		files, _ := filepath.Glob(filepath.Join(folder, fmt.Sprintf("*-r1-node%d.epperf", node)))
		if len(files) != 1 {
			t.Fatalf("node %d: records %v; it said %s", node, files, &stderr[node])
		}
		want := fmt.Sprintf("Part: %s (node %d, ranks %d-%d; more than 0 MiB of samples stay where they were measured)\n",
			files[0], node, 2*node, 2*node+1)
		if stdout[node].String() != want {
			t.Errorf("node %d prints %q, want %q", node, &stdout[node], want)
		}
		kept, err := record.Read(files[0])
		if err != nil {
			t.Fatal(err)
		}
		for rank := range 6 {
			here := rank/2 == node
			if of := kept.Rank(0, rank); len(of.Pass(0)) == 5 != here || of.Result.GetPassed() != here {
				t.Errorf("node %d: of rank %d there are %d samples, %v", node, rank, len(of.Pass(0)), of.Result)
			}
		}
		var shown bytes.Buffer
		_, err = report.Show(&shown, files[0])
		if want := fmt.Sprintf("\nPart: only what the ranks of node %d reported\n", node); err != nil || !strings.Contains(shown.String(), want) {
			t.Errorf("node %d: report show: %v; no %q in\n%s", node, err, want, &shown)
		}
	}
	if all, _ := filepath.Glob(filepath.Join(folder, "*")); len(all) != 3 {
		t.Errorf("records %v, want a part of each launcher", all)
	}
}
