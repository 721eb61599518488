package main

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// A component is somebody's work that is in the programs, or that builds them.
type component struct {
	name, version string
	purl          string
	licence       string // SPDX's expression
	hash          string // SHA-256 of the wheel
	goSum         string // the hash of a Go module
	linked        bool   // into a program
	shared        bool   // a library that programs load: the image has it, the archive does not
}

var (
	requirement = regexp.MustCompile(`(?m)^\t?(?:require )?([^\s/]+\.[^\s]+) (v\S+)`)
	dependency  = regexp.MustCompile(`bazel_dep\(name = "([^"]+)", version = "([^"]+)"`)
	pin         = regexp.MustCompile(`(?m)^([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})`)
)

// components returns all, those linked in first. What is linked in and has no name here is an error.
func (s spec) components() ([]component, error) {
	linked, err := s.goModules()
	if err != nil {
		return nil, err
	}
	version := strings.TrimPrefix(runtime.Version(), "go") // the Go that builds this builds all
	all := append(linked, component{
		name: "go", version: version, purl: "pkg:generic/go@" + version, licence: "BSD-3-Clause", linked: true,
	})
	pins, err := s.pins()
	if err != nil {
		return nil, err
	}
	for _, wheels := range []struct {
		metadata []string
		linked   bool
	}{{s.Linked, true}, {s.Built, false}} {
		for _, path := range slices.Sorted(slices.Values(wheels.metadata)) {
			c, err := wheel(path, pins)
			if err != nil {
				return nil, err
			}
			c.linked = wheels.linked
			all = append(all, c)
		}
	}
	shared, err := s.sharedLibraries()
	if err != nil {
		return nil, err
	}
	all = append(all, shared...)
	text, err := os.ReadFile(s.ModuleBazel)
	if err != nil {
		return nil, err
	}
	for _, found := range dependency.FindAllStringSubmatch(string(text), -1) {
		all = append(all, component{name: found[1], version: found[2], purl: "pkg:bazel/" + found[1] + "@" + found[2], licence: "NOASSERTION"})
	}
	return all, nil
}

// goModules returns the modules of which any program has a package.
func (s spec) goModules() ([]component, error) {
	mod, err := os.ReadFile(s.GoMod)
	if err != nil {
		return nil, err
	}
	sums, err := os.ReadFile(s.GoSum)
	if err != nil {
		return nil, err
	}
	versions, ours := map[string]string{}, ""
	for line := range strings.Lines(string(mod)) {
		if name, is := strings.CutPrefix(line, "module "); is {
			ours = strings.TrimSpace(name)
		} else if found := requirement.FindStringSubmatch(line); found != nil {
			versions[found[1]] = found[2]
		}
	}
	found := map[string]component{}
	for program, list := range s.Imports {
		text, err := os.ReadFile(list)
		if err != nil {
			return nil, err
		}
		for _, path := range strings.Fields(string(text)) {
			first, _, _ := strings.Cut(path, "/")
			if !strings.Contains(first, ".") || path == ours || strings.HasPrefix(path, ours+"/") {
				continue // Go's own, or ours
			}
			name := path
			for versions[name] == "" && strings.Contains(name, "/") {
				name = name[:strings.LastIndex(name, "/")]
			}
			version := versions[name]
			if version == "" {
				return nil, fmt.Errorf("%s has package %s, of a module that %s does not have", program, path, s.GoMod)
			}
			sum := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name+" "+version) + ` (h1:\S+)$`).FindStringSubmatch(string(sums))
			if sum == nil {
				return nil, fmt.Errorf("%s: no hash of %s %s", s.GoSum, name, version)
			}
			found[name] = component{name: name, version: version, purl: "pkg:golang/" + name + "@" + version, goSum: sum[1], linked: true}
		}
	}
	var all []component
	for _, name := range slices.Sorted(maps.Keys(found)) {
		c := found[name]
		if c.licence, err = s.licenceOf(name); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

// sharedLibraries returns the parts of the C library.
func (s spec) sharedLibraries() ([]component, error) {
	known := map[string]string{"glibc": "LGPL-2.1-or-later", "libstdc++": "GPL-3.0-or-later WITH GCC-exception-3.1"}
	text, err := os.ReadFile(s.Versions)
	if err != nil {
		return nil, err
	}
	var all []component
	for line := range strings.Lines(string(text)) {
		name, version, _ := strings.Cut(strings.TrimSpace(line), " ")
		if known[name] == "" || version == "" {
			return nil, fmt.Errorf("%s: %q is not NAME VERSION of %v", s.Versions, line, slices.Sorted(maps.Keys(known)))
		}
		purl := "pkg:generic/" + strings.ReplaceAll(name, "+", "%2B") + "@" + version
		all = append(all, component{name: name, version: version, purl: purl, licence: known[name], shared: true})
	}
	return all, nil
}

// pins returns the hash of each wheel by name==version.
func (s spec) pins() (map[string]string, error) {
	all := map[string]string{}
	for _, path := range s.Requirements {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for _, found := range pin.FindAllStringSubmatch(string(text), -1) {
			all[found[1]+"=="+found[2]] = found[3]
		}
	}
	return all, nil
}

// wheel reads a wheel's METADATA.
func wheel(path string, pins map[string]string) (component, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return component{}, err
	}
	header, _, _ := strings.Cut(string(text), "\n\n")
	values := map[string]string{}
	for line := range strings.Lines(header) {
		if key, value, is := strings.Cut(line, ": "); is && values[key] == "" {
			values[key] = strings.TrimSpace(value)
		}
	}
	name, version := values["Name"], values["Version"]
	hash := pins[name+"=="+version]
	if hash == "" {
		return component{}, fmt.Errorf("%s: no requirements pin %s==%s", path, name, version)
	}
	c := component{name: name, version: version, purl: "pkg:pypi/" + name + "@" + version, hash: hash, licence: "NOASSERTION"}
	if strings.Contains(strings.ToLower(values["License"]+values["License-Expression"]+values["Classifier"]), "nvidia") {
		c.licence = nvidiaLicence
	}
	return c, nil
}
