package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/export"
)

func exportCommand() *cli.Command {
	return &cli.Command{
		Name:      "export",
		Usage:     "write what records say for other programs",
		UsageText: "report export --format=json|csv|bench|prom [--samples] [--out=FILE] FILE...",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Usage: "json, csv, bench (for benchstat), prom (Prometheus' text)"},
			&cli.BoolFlag{Name: "samples", Usage: "all durations: in json besides, in csv one line for each instead"},
			&cli.BoolFlag{Name: "schema", Usage: "write the JSON Schema of json, and read no record"},
			outFlag(),
		},
		OnUsageError: command.OnUsageError,
		Action:       exportRecords,
	}
}

// exportRecords writes what all records say, or nothing.
func exportRecords(c *cli.Context) error {
	if c.Bool("schema") {
		return writeOut(c, func(w io.Writer) error {
			_, err := w.Write(export.Schema)
			return err
		})
	}
	format, known := export.Format(c.String("format")), false
	var all []string
	for _, one := range export.Formats {
		known = known || one == format
		all = append(all, string(one))
	}
	switch {
	case !known:
		return command.Usagef("export: --format=%q: try one of %s", string(format), strings.Join(all, ", "))
	case c.Bool("samples") && !format.HoldsSamples():
		return command.Usagef("export: --samples: %s has no place for them; try --format=json or --format=csv", format)
	}
	records, err := readAll("export --format="+string(format), c.Args().Slice())
	if err != nil {
		return err
	}
	err = writeOut(c, func(w io.Writer) error { return export.Write(w, format, records, c.Bool("samples")) })
	if err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}
