package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
	"github.com/epperf/epperf/go/internal/rendezvous/embedded"
)

func coordinatorCommand() *cli.Command {
	return &cli.Command{
		Name:            "coordinator",
		Usage:           "run an etcd server where launchers meet, until a signal ends it",
		UsageText:       "perf coordinator [flags]",
		Description:     "Beyond loopback it listens only with certificates, and to clients with a certificate.",
		HideHelpCommand: true,
		OnUsageError:    command.OnUsageError,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:2379", Usage: "address for launchers; port 0 picks a free one"},
		}, tlsFlags()...),
		Action: coordinate,
	}
}

// coordinate runs an etcd server and says where. A signal is its regular end.
func coordinate(c *cli.Context) error {
	if c.Args().Present() {
		return command.Usagef("coordinator: %q: takes no arguments", c.Args().First())
	}
	config := embedded.Config{Listen: c.String("listen")}
	files, err := filesOf(c)
	if err != nil {
		return err
	}
	if files != nil {
		config.CAFile, config.CertFile, config.KeyFile = files.CA, files.ServerCert, files.ServerKey
	}
	if err := config.Check(); err != nil {
		return command.Usagef("coordinator: %w", err)
	}
	ctx, stop := conduct.UntilSignal(context.Background())
	defer stop()
	return serve(ctx, c, config)
}

// serve lasts until ctx ends or the server does.
func serve(ctx context.Context, c *cli.Context, config embedded.Config) (err error) {
	if config.Folder, err = conduct.ServerFolder(config, c.App.ErrWriter); err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	server, err := conduct.StartServer(ctx, conduct.ServerConfig{Config: config}, nil)
	var signal *conduct.SignalError
	if errors.As(err, &signal) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	ctx, stop := server.Bind(ctx)
	defer stop()
	fmt.Fprintf(c.App.Writer, "etcd: --etcd-endpoints=%s\n", server.Endpoint)
	<-ctx.Done()
	if err := context.Cause(ctx); !errors.As(err, &signal) {
		return fmt.Errorf("coordinator: %w", err)
	}
	return nil
}
