package main

import (
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/page"
)

func htmlCommand() *cli.Command {
	return &cli.Command{
		Name:         "html",
		Usage:        "write records as one page with pictures, for any browser",
		UsageText:    "report html --out=FILE.html FILE...",
		Flags:        []cli.Flag{outFlag()},
		OnUsageError: command.OnUsageError,
		Action: func(c *cli.Context) error {
			records, err := readAll("html", c.Args().Slice())
			if err != nil {
				return err
			}
			if err := writeOut(c, func(w io.Writer) error { return page.Write(w, records) }); err != nil {
				return fmt.Errorf("html: %w", err)
			}
			return nil
		},
	}
}
