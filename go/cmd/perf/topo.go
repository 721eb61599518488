package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/topology"
	"github.com/epperf/epperf/go/internal/topology/nvml"
)

// architectures are those of the device code in this program, a line each: //csrc/kernels:image.
//
//go:embed architectures.txt
var architectures string

// everRun are those that a GPU has run: docs/results says which.
var everRun = map[string]bool{"sm_90a": true}

// kernels returns a line that says what GPUs the device code is for.
func kernels() string {
	var all []string
	for _, name := range strings.Fields(architectures) {
		says := name
		if strings.HasPrefix(name, "compute_") {
			says += " (PTX, which the driver compiles for others)"
		}
		if !everRun[name] {
			says += ", never run yet"
		}
		all = append(all, says)
	}
	return "Kernels: " + strings.Join(all, "; ") + "\n"
}

func topoCommand() *cli.Command {
	return &cli.Command{
		Name:            "topo",
		Usage:           "show how GPUs and NICs lie to each other, and which NICs each GPU should use",
		UsageText:       "perf topo [flags]",
		HideHelpCommand: true,
		OnUsageError:    command.OnUsageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "text", Usage: "text or json"},
			&cli.StringFlag{Name: "check", Usage: "file with what nvidia-smi topo -m, or perf topo, printed: says where it differs"},
			&cli.GenericFlag{Name: "nics-per-gpu", Value: newDecimal(1), Usage: "NICs that each GPU should use, the nearest first"},
			&cli.StringFlag{Name: "sys", Usage: "folder that is read instead of /sys, such as a copy of another machine's; GPUs are those that it has"},
		},
		Action: topo,
	}
}

func topo(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("topo: %q: takes no arguments", c.Args().First())
	}
	format, nicsPerGPU := c.String("format"), decimalOf[int](c, "nics-per-gpu")
	if format != "text" && format != "json" {
		return command.Usagef("--format=%q: not one of text, json", format)
	}
	if nicsPerGPU < 1 {
		return command.Usagef("--nics-per-gpu=%d: must be at least 1", nicsPerGPU)
	}
	host, err := readTopology(c)
	if err != nil {
		return fmt.Errorf("topo: %w", err)
	}
	text := []byte(strings.TrimPrefix(host.Text(nicsPerGPU)+"\n"+kernels(), "\n"))
	if format == "json" {
		if text, err = host.JSON(nicsPerGPU); err != nil {
			return fmt.Errorf("topo: %w", err)
		}
	}
	if _, err := c.App.Writer.Write(text); err != nil {
		return fmt.Errorf("topo: print: %w", err)
	}
	if c.String("check") != "" {
		return checkTopology(c, host)
	}
	return nil
}

// readTopology reads this host, or what --sys has. What is not there is said, and no error.
func readTopology(c *cli.Context) (*topology.Topology, error) {
	folder := c.String("sys")
	var gpus []topology.GPU
	var err error
	if folder == "" {
		folder = "/sys"
		gpus, err = nvml.GPUs()
	} else {
		gpus, err = topology.GPUsOf(os.DirFS(folder))
	}
	var none *nvml.NoDriverError
	switch {
	case errors.As(err, &none):
		fmt.Fprintf(c.App.ErrWriter, "perf: topo: %v; NICs are shown alone\n", none)
	case err != nil:
		return nil, err
	case len(gpus) == 0:
		fmt.Fprintln(c.App.ErrWriter, "perf: topo: there is no GPU; NICs are shown alone")
	}
	host, err := topology.Read(os.DirFS(folder), gpus)
	if err == nil && len(host.NICs) == 0 {
		fmt.Fprintf(c.App.ErrWriter, "perf: topo: there is no NIC: %s/class/infiniband has none\n", folder)
	}
	return host, err
}

// checkTopology says where the file of --check has another class for a pair of devices.
func checkTopology(c *cli.Context, host *topology.Topology) error {
	name := c.String("check")
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("topo: --check: %w", err)
	}
	there, err := topology.ParseMatrix(string(text))
	if err != nil {
		return fmt.Errorf("topo: --check=%s: %w", name, err)
	}
	differences := host.Matrix().Differences(there)
	for _, difference := range differences {
		fmt.Fprintf(c.App.ErrWriter, "perf: topo: %s\n", difference)
	}
	if len(differences) > 0 {
		return fmt.Errorf("topo: --check=%s: %d differences", name, len(differences))
	}
	fmt.Fprintf(c.App.ErrWriter, "perf: topo: %s has the same classes for all %d devices\n", name, len(there.Names))
	return nil
}
