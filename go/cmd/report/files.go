package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/record"
)

// outFlag is of every command that writes a file.
func outFlag() cli.Flag {
	return &cli.StringFlag{Name: "out", Value: "-", Usage: "file to write, - is stdout"}
}

// readAll reads every record that was named. One that cannot be read is an error.
func readAll(name string, paths []string) ([]*record.Record, error) {
	if len(paths) == 0 {
		return nil, command.Usagef("%s: a record is missing; try report %s FILE", name, name)
	}
	var records []*record.Record
	for _, path := range paths {
		kept, err := record.Read(path)
		if err != nil {
			return nil, err
		}
		records = append(records, kept)
	}
	return records, nil
}

// writeOut calls write with where --out says. A file has its name only when it is whole: what was there
// before stays until then, and after an error.
func writeOut(c *cli.Context, write func(io.Writer) error) (err error) {
	path := c.String("out")
	if path == "-" || path == "" {
		return write(c.App.Writer)
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("--out=%s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	buffered := bufio.NewWriterSize(file, 1<<20)
	err = errors.Join(write(buffered), buffered.Flush(), file.Chmod(0o644), file.Close())
	if err != nil {
		return fmt.Errorf("--out=%s: %w", path, err)
	}
	return os.Rename(file.Name(), path)
}
