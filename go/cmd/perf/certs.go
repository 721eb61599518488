package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/certs"
	"github.com/epperf/epperf/go/internal/command"
)

func certsCommand() *cli.Command {
	return &cli.Command{
		Name:            "certs",
		Usage:           "make certificates with which launchers and their etcd know each other",
		UsageText:       "perf certs --out=DIR --hosts=node-a,10.0.0.1 [flags]",
		Description:     "Give the folder to each launcher, and to perf coordinator, as --certs. Who has it can take part.",
		HideHelpCommand: true,
		OnUsageError:    command.OnUsageError,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Usage: "new folder for them"},
			&cli.StringFlag{Name: "hosts", Usage: "names and addresses under which launchers reach etcd, with commas between"},
			&cli.GenericFlag{Name: "days", Value: newDecimal(30), Usage: "for how long they are valid"},
		},
		Action: makeCerts,
	}
}

// makeCerts makes certificates and says where. Of keys it prints nothing.
func makeCerts(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("certs: %q: takes no arguments", c.Args().First())
	}
	folder, days := c.String("out"), decimalOf[int](c, "days")
	if folder == "" {
		return command.Usagef("certs: --out: a folder is missing")
	}
	var hosts []string
	for _, host := range strings.Split(c.String("hosts"), ",") {
		if host = strings.TrimSpace(host); host == "" || strings.ContainsAny(host, "/ ") {
			return command.Usagef("certs: --hosts=%s: not names or addresses with commas between, such as node-a,10.0.0.1", c.String("hosts"))
		}
		hosts = append(hosts, host)
	}
	if days < 1 || days > 3650 {
		return command.Usagef("certs: --days=%d: must be 1 to 3,650", days)
	}
	valid := time.Duration(days) * 24 * time.Hour
	if _, err := certs.Make(folder, certs.Request{Hosts: hosts, Valid: valid}); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "Certificates: %s (of an etcd at %s, until %s); give it to all launchers as --certs\n",
		folder, strings.Join(hosts, ", "), time.Now().Add(valid).UTC().Format(time.DateOnly))
	return nil
}
