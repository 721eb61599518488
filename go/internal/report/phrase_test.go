package report

import (
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/figures"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/record/recordtest"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestAPhraseTakesWhatIsThere(t *testing.T) {
	values := map[string]string{"ranks": "8", "hosts": "2"}
	value := func(name, form string) (string, bool) {
		if form == "twice" {
			return values[name] + values[name], true
		}
		text, ok := values[name]
		return text, ok
	}
	for template, want := range map[string]struct {
		text     string
		complete bool
	}{
		"":                               {"", true},
		"only words":                     {"only words", true},
		"{ranks} ranks":                  {"8 ranks", true},
		"{ranks|twice}":                  {"88", true},
		"{ranks}[ of {hosts}]":           {"8 of 2", true},
		"{ranks}[ of {cores}][ {hosts}]": {"8 2", true},
		"[{hosts} {cores}]{ranks}":       {"8", true},
		"{cores} cores":                  {" cores", false},
	} {
		if text, complete := fill(template, value); text != want.text || complete != want.complete {
			t.Errorf("fill(%q) = %q, %t; want %q, %t", template, text, complete, want.text, want.complete)
		}
	}
}

// A phrase that names a cell which its row does not have would be passed over without a word.
func TestPhrasesFitTheirRows(t *testing.T) {
	wrong := recordtest.Small()
	wrong.Results[0].Check.Wrong, wrong.Results[0].Check.First = 1, &epperfv1.WrongRow{Kind: epperfv1.WrongRow_KIND_GUARD}
	for _, run := range []*recordtest.Run{
		recordtest.DetailedOnGPUs(epperfv1.Mode_MODE_E2E, 8), recordtest.CalibratedGPUs(), recordtest.Soaked(), wrong,
	} {
		kept, err := record.Read(run.Write(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range Tables(figures.Summarize(kept)) {
			look, known := styles[part.Name]
			if !known {
				t.Errorf("table %s has no style", part.Name)
			}
			seen := map[string]int{}
			for i := range part.Rows {
				row := &part.Rows[i]
				if last, listed := seen[row.Name]; listed && last != i-1 {
					t.Errorf("%s.%s: a list with others between", part.Name, row.Name)
				}
				seen[row.Name] = i
				words := look.phrase(row)
				fits := words.body == "" || len(row.Cells) == 0
				for template := range strings.SplitSeq(words.body, "||") {
					_, complete := fill(template, rowText{row, &look}.value)
					fits = fits || complete
				}
				if !fits {
					t.Errorf("%s.%s: no body fits the cells %v", part.Name, row.Name, row.Cells)
				}
			}
		}
	}
}
