package main

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

func TestReportDependsOnNothingThatMeasures(t *testing.T) {
	found, err := os.ReadFile("forbidden_dependencies")
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("TEST_TARGET") == "" {
		t.Skip("skipped: only Bazel knows what depends on what")
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(found) > 0 {
		t.Errorf("report depends on\n%s", found)
	}
}
