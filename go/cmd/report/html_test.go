package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
)

func TestHTML(t *testing.T) {
	out := filepath.Join(t.TempDir(), "page.html")
	if code, stdout, stderr := output("html", "--out="+out, recordtest.Small().Write(t)); code != command.OK || stdout != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	if text, err := os.ReadFile(out); err != nil || !strings.Contains(string(text), `<figure id="case-1-heat">`) {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	if code, _, stderr := output("html"); code != command.Misused || !strings.Contains(stderr, "try report html FILE") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
