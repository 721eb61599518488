// Command pack makes what a release consists of, from files that the build made: an archive, an image
// of the same files, their bills of materials in SPDX and CycloneDX, their provenance, and the hashes of all of them.
//
// The same files give the same bytes: nothing here asks the machine for its time, user, umask or locale.
package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// A spec is what release.bzl asks for.
type spec struct {
	Name    string `json:"name"`
	Version string `json:"version"` // MODULE.bazel's
	Status  string `json:"status"`  // Bazel's file of stable status; it has git's words in --config=release alone

	Files    []file            `json:"files"`    // of the archive
	Licences []file            `json:"licences"` // Path is go/MODULE/NAME; those of modules that are not linked in stay out
	Imports  map[string]string `json:"imports"`  // program: file with the import path of each package linked in

	Libraries  []file `json:"libraries"`  // the C library; Path is what loaders call each
	Copyrights []file `json:"copyrights"` // NAME.copyright
	Versions   string `json:"versions"`   // file with NAME VERSION of these libraries

	GoMod, GoSum, ModuleBazel string
	Linked                    []string `json:"linked"`       // METADATA of wheels of which something is linked in
	Built                     []string `json:"built"`        // METADATA of wheels that build
	Requirements              []string `json:"requirements"` // with the wheels' hashes

	Archive, Image, SPDX, CycloneDX, Provenance, Sums string // to be written
}

// A file goes into the archive.
type file struct {
	Path       string `json:"path"`
	Source     string `json:"source"`
	Executable bool   `json:"executable"`
}

func main() {
	if err := pack(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "pack:", err)
		os.Exit(1)
	}
}

func pack(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("takes the file of one spec, not %d arguments", len(args))
	}
	text, err := os.ReadFile(args[0])
	if err != nil {
		return err
	}
	var s spec
	if err := json.Unmarshal(text, &s); err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	origin, err := readOrigin(s.Status)
	if err != nil {
		return err
	}
	components, err := s.components()
	if err != nil {
		return err
	}
	files, err := s.withLicences(components)
	if err != nil {
		return err
	}
	if err := writeArchive(s.Archive, fmt.Sprintf("%s-%s", s.Name, s.Version), files, origin); err != nil {
		return fmt.Errorf("%s: %w", s.Archive, err)
	}
	if err := s.writeImage(files, origin); err != nil {
		return fmt.Errorf("%s: %w", s.Image, err)
	}
	subjects, err := s.subjects()
	if err != nil {
		return err
	}
	for path, document := range map[string]any{
		s.SPDX:       spdx(s, origin, subjects, components),
		s.CycloneDX:  cyclonedx(s, origin, subjects, components),
		s.Provenance: provenance(s, origin, subjects, components),
	} {
		if err := writeJSON(path, document); err != nil {
			return err
		}
	}
	return s.writeSums()
}

// A subjectFile is what documents speak of.
type subjectFile struct{ name, sha256 string }

func subject(path string) (subjectFile, error) {
	data, err := os.ReadFile(path)
	return subjectFile{filepath.Base(path), fmt.Sprintf("%x", sha256.Sum256(data))}, err
}

// subjects returns the archive and the image.
func (s spec) subjects() ([2]subjectFile, error) {
	archive, err := subject(s.Archive)
	if err != nil {
		return [2]subjectFile{}, err
	}
	image, err := subject(s.Image)
	return [2]subjectFile{archive, image}, err
}

// writeSums writes what `sha256sum --check` reads.
func (s spec) writeSums() error {
	var lines strings.Builder
	for _, path := range []string{s.Archive, s.Image, s.SPDX, s.CycloneDX, s.Provenance} {
		of, err := subject(path)
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%s  %s\n", of.sha256, of.name)
	}
	return os.WriteFile(s.Sums, []byte(lines.String()), 0o644)
}

// writeJSON writes maps by the order of their keys, so the same document is the same bytes.
func writeJSON(path string, document any) error {
	text, err := json.MarshalIndent(document, "", "  ")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
