package main

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
)

// nvidiaLicence is SPDX's name for a licence that is not in its list; its text is in the archive.
const nvidiaLicence = "LicenseRef-NVIDIA-CUDA-EULA"

// A licence is known by words that no other of these has.
var licences = []struct {
	id    string
	words *regexp.Regexp
}{
	{"Apache-2.0", regexp.MustCompile(`Apache License,?\s+Version 2\.0`)},
	{"MIT", regexp.MustCompile(`Permission is hereby granted, free of charge`)},
	{"BSD-3-Clause", regexp.MustCompile(`Redistribution and use in source[\s\S]*(?:Neither the name|names? of .{0,40}contributors may)`)},
	{"BSD-2-Clause", regexp.MustCompile(`Redistribution and use in source`)},
	{"MPL-2.0", regexp.MustCompile(`Mozilla Public License,? [vV]ersion 2\.0`)},
}

// identify returns the licence of a text, as SPDX calls it; several where it holds several.
func identify(text string) []string {
	var ids []string
	for _, l := range licences {
		if !l.words.MatchString(text) || l.id == "BSD-2-Clause" && slices.Contains(ids, "BSD-3-Clause") {
			continue
		}
		ids = append(ids, l.id)
	}
	return ids
}

// licenceOf returns SPDX's expression for a Go module. A module without a text, or with one that is not
// known here, must not be shipped before somebody has read it.
func (s spec) licenceOf(module string) (string, error) {
	var ids, read []string
	for _, f := range s.Licences {
		if f.of() != module {
			continue
		}
		text, err := os.ReadFile(f.Source)
		if err != nil {
			return "", err
		}
		read = append(read, f.Path)
		ids = append(ids, identify(string(text))...)
	}
	if len(ids) == 0 {
		return "", fmt.Errorf("%s: no licence that is known in %q: read it, and name it in release/pack/licences.go", module, read)
	}
	slices.Sort(ids)
	return strings.Join(slices.Compact(ids), " AND "), nil
}

// of returns the Go module of a licence's file, go/MODULE/NAME.
func (f file) of() string {
	path := strings.TrimPrefix(f.Path, "go/")
	return path[:max(strings.LastIndex(path, "/"), 0)]
}

// withLicences returns the archive's files with the texts of the modules that are linked in.
func (s spec) withLicences(components []component) ([]file, error) {
	all := slices.Clone(s.Files)
	for _, f := range s.Licences {
		if slices.ContainsFunc(components, func(c component) bool { return c.linked && c.name == f.of() }) {
			f.Path = "licences/" + f.Path
			all = append(all, f)
		}
	}
	return all, nil
}
