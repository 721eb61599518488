package main

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// An entry is a file, a folder or a link of a tar.
type entry struct {
	path   string // without a slash at its beginning and end
	source string // the file whose bytes it has; else data
	data   string
	link   string // what a symbolic link names
	folder bool
	mode   int64
	owner  int // user and group
}

// below returns the release's files as entries below a folder.
func below(folder string, files []file) []entry {
	var all []entry
	for _, f := range files {
		e := entry{path: folder + "/" + f.Path, source: f.Source, mode: 0o644}
		if f.Executable {
			e.mode = 0o755
		}
		all = append(all, e)
	}
	return all
}

// writeTar writes entries in the order of their paths, with the folders above them. All are as old as the
// sources; of the machine's users, modes and times nothing is in them.
func writeTar(out io.Writer, entries []entry, from origin) error {
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	archive := tar.NewWriter(out)
	made := map[string]bool{}
	for i, e := range entries {
		if i > 0 && entries[i-1].path == e.path {
			return fmt.Errorf("%s: comes from %s and from %s", e.path, entries[i-1].source, e.source)
		}
		for end, r := range e.path {
			if parent := e.path[:end]; r == '/' && !made[parent] {
				made[parent] = true
				if err := writeEntry(archive, entry{path: parent, folder: true, mode: 0o755}, from); err != nil {
					return err
				}
			}
		}
		made[e.path] = e.folder
		if err := writeEntry(archive, e, from); err != nil {
			return fmt.Errorf("%s: %w", e.path, err)
		}
	}
	return archive.Close()
}

func writeEntry(archive *tar.Writer, e entry, from origin) error {
	header := tar.Header{
		Typeflag: tar.TypeReg, Name: e.path, Mode: e.mode, Uid: e.owner, Gid: e.owner,
		ModTime: from.time, Format: tar.FormatUSTAR,
	}
	data := []byte(e.data)
	switch {
	case e.folder:
		header.Typeflag, header.Name = tar.TypeDir, e.path+"/"
	case e.link != "":
		header.Typeflag, header.Linkname, header.Mode = tar.TypeSymlink, e.link, 0o777
	case e.source != "":
		var err error
		if data, err = os.ReadFile(e.source); err != nil {
			return err
		}
	}
	header.Size = int64(len(data))
	if err := archive.WriteHeader(&header); err != nil {
		return err
	}
	_, err := archive.Write(data)
	return err
}

// writeArchive writes a tar, compressed by gzip, of one folder.
func writeArchive(path, folder string, files []file, from origin) error {
	return writeFile(path, func(out io.Writer) error {
		compressed, err := gzip.NewWriterLevel(out, gzip.DefaultCompression)
		if err != nil {
			return err
		}
		if err := writeTar(compressed, below(folder, files), from); err != nil {
			return err
		}
		return compressed.Close()
	})
}

func writeFile(path string, write func(io.Writer) error) (err error) {
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
	if err := write(buffer); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return buffer.Flush()
}
