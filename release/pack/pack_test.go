package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAnArchiveIsItsFilesAndNothingOfTheMachine(t *testing.T) {
	archive := func(umask int, mode os.FileMode, age time.Duration, backwards bool) []byte {
		defer syscall.Umask(syscall.Umask(umask))
		folder := t.TempDir()
		files := []file{
			{Path: "bin/perf", Source: write(t, folder+"/a", "program", mode), Executable: true},
			{Path: "docs/method.md", Source: write(t, folder+"/b", "words", mode)},
		}
		for _, f := range files {
			then := time.Now().Add(-age)
			if err := os.Chtimes(f.Source, then, then); err != nil {
				t.Fatal(err)
			}
		}
		if backwards {
			files[0], files[1] = files[1], files[0]
		}
		from, err := readOrigin("")
		if err != nil {
			t.Fatal(err)
		}
		if err := writeArchive(folder+"/out", "epperf-1", files, from); err != nil {
			t.Fatal(err)
		}
		if err := (spec{Image: folder + "/image"}).writeImage(files, from); err != nil {
			t.Fatal(err)
		}
		return append(read(t, folder+"/out"), read(t, folder+"/image")...)
	}
	if !bytes.Equal(archive(0o022, 0o644, 0, false), archive(0o077, 0o400, 1000*time.Hour, true)) {
		t.Error("umask, modes, ages or the order of files change the archive or the image")
	}
}

func TestAnImageHasWhatItsProgramsNeed(t *testing.T) {
	files := []file{{Path: "bin/perf", Source: "/bin/sh", Executable: true}} // of every machine: needs a C library
	err := spec{Image: t.TempDir() + "/image"}.writeImage(files, origin{})
	if err == nil || !strings.Contains(err.Error(), "bin/perf needs libc.so.6, which the image lacks") {
		t.Errorf("error %v", err)
	}
}

func TestWhatIsLinkedInHasAVersionAHashAndALicence(t *testing.T) {
	const mit = "Permission is hereby granted, free of charge, to any person"
	for name, test := range map[string]struct{ imports, sum, licence, want string }{
		"known":      {"net/http\nexample.org/our/x\nexample.org/their/deep/package", "example.org/their v1.2.3 h1:abc=\n", mit, ""},
		"no module":  {"example.org/other", "", mit, "has package example.org/other"},
		"no hash":    {"example.org/their", "example.org/their v1.2.3/go.mod h1:abc=\n", mit, "no hash of example.org/their v1.2.3"},
		"no licence": {"example.org/their", "example.org/their v1.2.3 h1:abc=\n", "All rights reserved", "no licence that is known"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			s := spec{
				Imports:  map[string]string{"perf": write(t, folder+"/imports", test.imports, 0o644)},
				GoMod:    write(t, folder+"/go.mod", "module example.org/our\n\nrequire (\n\texample.org/their v1.2.3 // indirect\n)\n", 0o644),
				GoSum:    write(t, folder+"/go.sum", test.sum, 0o644),
				Licences: []file{{Path: "go/example.org/their/LICENSE", Source: write(t, folder+"/LICENSE", test.licence, 0o644)}},
			}
			modules, err := s.goModules()
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("error %v, want %q", err, test.want)
				}
				return
			}
			if err != nil || len(modules) != 1 || modules[0].purl != "pkg:golang/example.org/their@v1.2.3" || modules[0].licence != "MIT" {
				t.Errorf("%+v, %v", modules, err)
			}
		})
	}
}

func TestStatusGivesCommitAndTime(t *testing.T) {
	path := write(t, t.TempDir()+"/status", "BUILD_USER root\nSTABLE_EPPERF_COMMIT 0123456789ab\nSTABLE_EPPERF_COMMIT_SECONDS 1000000000\n", 0o644)
	from, err := readOrigin(path)
	if err != nil || from.commit != "0123456789ab" || !from.time.Equal(time.Unix(1000000000, 0)) {
		t.Errorf("%+v, %v", from, err)
	}
}
