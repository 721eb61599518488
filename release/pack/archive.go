package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An origin is the state of the sources, as git has it.
type origin struct {
	commit string    // empty unless in --config=release
	time   time.Time // of the commit; else the first that every format can hold
}

// readOrigin reads Bazel's file of stable status, which tools/status fills in --config=release.
func readOrigin(path string) (origin, error) {
	none := origin{time: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)}
	if path == "" {
		return none, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return none, err
	}
	found := none
	for line := range strings.Lines(string(text)) {
		switch key, value, _ := strings.Cut(strings.TrimSpace(line), " "); key {
		case "STABLE_EPPERF_COMMIT":
			found.commit = value
		case "STABLE_EPPERF_COMMIT_SECONDS":
			seconds, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return none, fmt.Errorf("%s: %s: %w", path, key, err)
			}
			found.time = time.Unix(seconds, 0).UTC()
		}
	}
	return found, nil
}

// writeArchive writes a tar, compressed by gzip, of one folder. Its files belong to root, may be read by
// all and are as old as the sources.
func writeArchive(path, folder string, files []file, from origin) (err error) {
	out, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if closed := out.Close(); err == nil {
			err = closed
		}
	}()
	buffer := bufio.NewWriter(out)
	compressed, err := gzip.NewWriterLevel(buffer, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.Path, b.Path) })
	made := map[string]bool{}
	for i, f := range files {
		if i > 0 && files[i-1].Path == f.Path {
			return fmt.Errorf("%s: comes from %s and from %s", f.Path, files[i-1].Source, f.Source)
		}
		full := folder + "/" + f.Path
		for end, r := range full {
			if parent := full[:end]; r == '/' && !made[parent] {
				made[parent] = true
				header := tar.Header{Typeflag: tar.TypeDir, Name: parent + "/", Mode: 0o755, ModTime: from.time, Format: tar.FormatUSTAR}
				if err := archive.WriteHeader(&header); err != nil {
					return err
				}
			}
		}
		data, err := os.ReadFile(f.Source)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if f.Executable {
			mode = 0o755
		}
		header := tar.Header{Typeflag: tar.TypeReg, Name: full, Mode: mode, Size: int64(len(data)), ModTime: from.time, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(&header); err != nil {
			return err
		}
		if _, err := archive.Write(data); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	if err := compressed.Close(); err != nil {
		return err
	}
	return buffer.Flush()
}
