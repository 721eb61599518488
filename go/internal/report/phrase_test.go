package report

import "testing"

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
