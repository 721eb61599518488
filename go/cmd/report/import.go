package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/foreign"
	"github.com/epperf/epperf/go/internal/record"
	"github.com/epperf/epperf/go/internal/report"
)

func importCommand() *cli.Command {
	return &cli.Command{
		Name:      "import",
		Usage:     "read what other tools printed, and put it beside records",
		UsageText: "report import [--from=TOOL] [--shape=TEXT] [--format=text|json] [TOOL=]FILE... [-- RECORD...]",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "tool of files without TOOL=: " + strings.Join(foreign.Tools(), ", ")},
			&cli.StringFlag{Name: "shape", Usage: "of figures whose output does not say: ranks=8 tokens=128 hidden=7168 experts=288 topk=8"},
			&cli.StringFlag{Name: "format", Value: "text", Usage: "text, json"},
			outFlag(),
		},
		OnUsageError: command.OnUsageError,
		Action:       importFigures,
	}
}

// imported is the file that --format=json writes.
type imported struct {
	Format  string           `json:"format"`
	Version int              `json:"version"`
	Figures []foreign.Figure `json:"figures"`
}

func importFigures(c *cli.Context) error {
	outputs, records := c.Args().Slice(), []string(nil)
	if middle := slices.Index(outputs, "--"); middle >= 0 {
		outputs, records = outputs[:middle], outputs[middle+1:]
	}
	if len(outputs) == 0 {
		return command.Usagef("import: an output is missing; try report import --from=%s FILE", foreign.Tools()[0])
	}
	if format := c.String("format"); format != "text" && format != "json" {
		return command.Usagef("import: --format=%q: try text or json", format)
	}
	var all []foreign.Figure
	for _, output := range outputs {
		figures, err := readOutput(output, c.String("from"), c.String("shape"))
		if err != nil {
			return err
		}
		all = append(all, figures...)
	}
	for _, path := range records {
		kept, err := record.Read(path)
		if err != nil {
			return err
		}
		ours := foreign.Ours(kept)
		if ours == nil {
			return fmt.Errorf("import: %s has no figures that can be compared: it did not pass, or ranks share CPUs or GPUs", path)
		}
		all = append(all, ours...)
	}
	return writeOut(c, func(w io.Writer) error {
		if c.String("format") == "json" {
			encoder := json.NewEncoder(w)
			encoder.SetIndent("", "  ")
			return encoder.Encode(imported{"epperf-foreign", 1, all})
		}
		return report.WriteForeign(w, foreign.Groups(all))
	})
}

// readOutput reads TOOL=FILE, or FILE of the tool that is the default.
func readOutput(output, tool, shape string) ([]foreign.Figure, error) {
	if named, path, ok := strings.Cut(output, "="); ok && slices.Contains(foreign.Tools(), named) {
		tool, output = named, path
	}
	if !slices.Contains(foreign.Tools(), tool) {
		return nil, command.Usagef("import: %s: --from=%q: try one of %s", output, tool, strings.Join(foreign.Tools(), ", "))
	}
	file, err := os.Open(output)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	defer file.Close()
	figures, err := foreign.Read(tool, file, output)
	if err != nil {
		return nil, fmt.Errorf("import: %w", err)
	}
	for i := range figures {
		if figures[i].Shape == "" {
			figures[i].Shape = shape
		}
	}
	return figures, nil
}
