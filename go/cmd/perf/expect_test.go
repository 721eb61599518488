package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARunBesideWhatIsExpectedOfIt(t *testing.T) {
	for name, test := range map[string]struct {
		content string
		code    int
		want    string
	}{
		"better":        {`{"mode":"e2e","ranks":2,"latency_us":1e9}`, 0, ": better\n"},
		"worse":         {`{"mode":"e2e","ranks":2,"latency_us":1e-9}`, 3, ": worse\n"},
		"another shape": {`{"mode":"e2e","ranks":3,"latency_us":1e9}`, 2, "not comparable: ranks is 2, 3 is expected"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, with(small, "--num-processes=2", "--expect=expected.json")...)
			content := `{"format":"epperf-expect","version":1,"source":"a test","tolerance":0.05,"cases":[` + test.content + `]}`
			if err := os.WriteFile(filepath.Join(p.folder, "expected.json"), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			if code := p.run(t); code != test.code || !strings.Contains(p.stdout.String(), test.want) {
				t.Errorf("exit code %d, stderr %s, stdout:\n%s", code, &p.stderr, &p.stdout)
			}
		})
	}
}
