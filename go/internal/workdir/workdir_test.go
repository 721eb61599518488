package workdir_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/epperf/epperf/go/internal/workdir"
)

func TestEnter(t *testing.T) {
	here, typed := t.TempDir(), t.TempDir()
	for name, test := range map[string]struct{ typed, want string }{
		"under bazel run":   {typed, typed},
		"started otherwise": {"", here},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(here)
			t.Setenv("BUILD_WORKING_DIRECTORY", test.typed)
			if err := workdir.Enter(); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.Getwd(); got != test.want {
				t.Errorf("in %s, want %s", got, test.want)
			}
		})
	}
	t.Run("a folder that is gone", func(t *testing.T) {
		t.Setenv("BUILD_WORKING_DIRECTORY", filepath.Join(here, "gone"))
		if err := workdir.Enter(); err == nil {
			t.Error("no error")
		}
	})
}
