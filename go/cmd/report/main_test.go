package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestExitCodes(t *testing.T) {
	passed := recordtest.Passed(epperfv1.Mode_MODE_E2E).Write(t)
	failed := writeFailed(t)
	partial := recordtest.Passed(epperfv1.Mode_MODE_E2E).WritePartial(t)
	noRecord := filepath.Join(t.TempDir(), "letter.txt")
	if err := os.WriteFile(noRecord, []byte("Dear reader,\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		args   []string
		want   int
		stdout string // that there is such text; "" that there is none
		stderr string // likewise
	}{
		"a run that passed":    {[]string{"show", passed}, command.OK, "8/8 ranks passed\n", ""},
		"a run that failed":    {[]string{"show", failed}, command.Failed, "Failed: rank 2: 3 wrong rows\n", ""},
		"a run that was cut":   {[]string{"show", partial}, command.Failed, "Incomplete: ", ""},
		"no record at all":     {[]string{"show", noRecord}, command.Failed, "", "letter.txt: damaged at byte 0: "},
		"no such file":         {[]string{"show", "nowhere.epperf"}, command.Failed, "", "nowhere.epperf: no such file"},
		"good after bad":       {[]string{"show", "nowhere.epperf", passed}, command.Failed, "8/8 ranks passed\n", "no such file"},
		"no file":              {[]string{"show"}, command.Misused, "", "try report show FILE"},
		"no command":           {nil, command.Misused, "", "a command is missing"},
		"an unknown command":   {[]string{"print", passed}, command.Misused, "", `no command "print"`},
		"an unknown flag":      {[]string{"--loud", "show"}, command.Misused, "", "-loud"},
		"an unknown show flag": {[]string{"show", "--loud", passed}, command.Misused, "", "-loud"},
		"help":                 {[]string{"--help"}, command.OK, "show", ""},
		"help on show":         {[]string{"show", "--help"}, command.OK, "FILE...", ""},
		"version":              {[]string{"--version"}, command.OK, "report version " + command.Version(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if got := run(append([]string{"report"}, test.args...), &stdout, &stderr); got != test.want {
				t.Errorf("exit code %d; want %d", got, test.want)
			}
			for what, text := range map[string][2]string{
				"stdout": {stdout.String(), test.stdout},
				"stderr": {stderr.String(), test.stderr},
			} {
				if !strings.Contains(text[0], text[1]) || text[1] == "" && text[0] != "" {
					t.Errorf("%s = %q; want %q", what, text[0], text[1])
				}
			}
		})
	}
}

func TestSeveralRecordsAreShownInOrder(t *testing.T) {
	first := recordtest.Passed(epperfv1.Mode_MODE_COMBINE).Write(t)
	second := recordtest.Passed(epperfv1.Mode_MODE_DISPATCH).Write(t)
	var stdout, stderr bytes.Buffer
	if code := run([]string{"report", "show", first, second}, &stdout, &stderr); code != command.OK || stderr.Len() > 0 {
		t.Fatalf("exit code %d, %s", code, &stderr)
	}
	before, after, found := strings.Cut(stdout.String(), "\n\n"+strings.Repeat("=", 70)+"\nEP Data Plane")
	if !found || !strings.HasSuffix(before, "Record: "+first) || !strings.HasSuffix(after, "Record: "+second+"\n") {
		t.Errorf("stdout = %s", &stdout)
	}
}

// Records of machines that tests do not have.
func TestRecordsOfRealGPUs(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/records/*.epperf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want, err := os.ReadFile(strings.TrimSuffix(path, ".epperf") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			var stdout, stderr bytes.Buffer
			if code := run([]string{"report", "show", path}, &stdout, &stderr); code != command.OK {
				t.Errorf("exit code %d: %s", code, &stderr)
			}
			got := strings.ReplaceAll(stdout.String(), "Record: "+path, "Record: "+filepath.Base(path))
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func writeFailed(t *testing.T) string {
	t.Helper()
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.Results[2].Passed, run.Results[2].Check.Wrong = false, 3
	run.Status, run.Error = epperfv1.Trailer_STATUS_FAILED, "rank 2: 3 wrong rows"
	return run.Write(t)
}
