package page_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/page"
	"github.com/epperf/epperf/go/internal/page/pagetest"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

var update = flag.Bool("update", false, "write goldens anew")

func write(t *testing.T, records ...*record.Record) string {
	t.Helper()
	var out bytes.Buffer
	if err := page.Write(&out, records); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestGolden(t *testing.T) {
	small := recordtest.Small()
	small.Header.Plan.RanksPerHost, small.Header.Hosts[0].UsableCpus = 2, 2
	kept := small.Read(t)
	kept.Path = "run.epperf"
	got, path := write(t, kept), "testdata/small.html"
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("(-want +got), -update writes it anew:\n%s", diff)
	}
}

var (
	figureOf = regexp.MustCompile(`(?s)<figure id="([^"]+)">(.*?)</figure>`)
	markOf   = regexp.MustCompile(`<(path class="line|circle class="mark|rect class="bar|image class="cells)`)
)

func TestEveryFigureHasMarksATitleAndATable(t *testing.T) {
	text := write(t, pagetest.Rich(t)...)
	figures := figureOf.FindAllStringSubmatch(text, -1)
	for _, figure := range figures {
		for what, form := range map[string]*regexp.Regexp{
			"marks":   markOf,
			"a title": regexp.MustCompile(`<title id="[^"]+">[^<]+</title><desc id="[^"]+">[^<]+</desc>`),
			"a table": regexp.MustCompile(`<tbody><tr>`),
			"a name":  regexp.MustCompile(`<h3>[^<]+</h3>`),
		} {
			if !form.MatchString(figure[2]) {
				t.Errorf("%s has not %s", figure[1], what)
			}
		}
	}
	for _, name := range []string{"latency-tokens", "bandwidth-tokens", "latency-sms", "heat", "distribution", "pairs", "experts", "reach", "timeline", "nearness-0"} {
		if !slices.ContainsFunc(figures, func(f []string) bool { return strings.HasSuffix(f[1], "-"+name) }) {
			t.Errorf("no figure %s", name)
		}
	}
	for _, link := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(text, -1) {
		if !strings.Contains(text, `<h2 id="`+link[1]+`">`) {
			t.Errorf("the overview leads to %s, which is not there", link[1])
		}
	}
	if regexp.MustCompile(`NaN|Inf`).MatchString(text) {
		t.Error("a place is no number")
	}
}

func TestLinesDifferInColourOrDash(t *testing.T) {
	text := write(t, pagetest.ManyLines(t)...)
	looks := map[string]bool{}
	for _, key := range regexp.MustCompile(`<svg class="key"[^>]*><path class="line ([^"]+)"`).FindAllStringSubmatch(text, -1) {
		looks[key[1]] = true
	}
	if len(looks) != 9 { // twice, of latency and of bandwidth
		t.Errorf("9 lines look like %d: %v", len(looks), looks)
	}
	for _, shape := range []string{`<circle class="mark measured c0 d0`, `<rect class="mark measured c0 d1`} {
		if !strings.Contains(text, shape) {
			t.Errorf("no %s", shape)
		}
	}
}

// Whatever a record holds, the page asks for nothing and runs nothing.
func TestAHostileRecordIsOnlyText(t *testing.T) {
	const attack = `"><script>alert(1)</script><img src=//evil.example onerror=x>`
	run := recordtest.Passed(epperfv1.Mode_MODE_E2E)
	run.Header.Hosts[0].Name, run.Header.Hosts[0].CpuModel = attack, attack
	run.Header.Hosts[0].Nearness = &epperfv1.Nearness{Devices: []string{attack, attack}, Ways: []string{attack, attack, attack, attack}}
	run.Results[2].Passed, run.Results[2].Error = false, attack
	run.Status, run.Error = epperfv1.Trailer_STATUS_FAILED, attack
	for _, result := range run.Results {
		result.PathToRank = slices.Repeat([]epperfv1.Path{99}, 8)
		result.Network = &epperfv1.Network{UcxVersion: attack}
	}
	kept := run.Read(t)
	kept.Path = attack
	text := write(t, kept)
	for _, no := range []string{"<script", "<img", "<link", "<iframe", "@import", "url("} {
		if strings.Contains(text, no) {
			t.Errorf("the page has %s", no)
		}
	}
	for _, asks := range regexp.MustCompile(`(?:href|src)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(asks[1], "data:image/png;base64,") && !strings.HasPrefix(asks[1], "#case-") {
			t.Errorf("the page asks for %s", asks[1])
		}
	}
	if !strings.Contains(text, "&lt;script&gt;") {
		t.Error("the attack is not shown at all: this test cannot fail")
	}
}

func TestRealRecords(t *testing.T) {
	paths, err := filepath.Glob("../../../testdata/records/*.epperf")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no records: %v", err)
	}
	for _, path := range paths {
		kept, err := record.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if text := write(t, kept); !strings.Contains(text, "</html>") || strings.Contains(text, "NaN") {
			t.Errorf("%s: %d bytes", path, len(text))
		}
	}
}
