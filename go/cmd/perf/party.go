package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
)

// partyFlags are the flags of a run on several hosts.
func partyFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.GenericFlag{Name: "nnodes", Value: newDecimal(1), Usage: "number of launchers, one a host, each with --num-processes ranks"},
		&cli.GenericFlag{Name: "node-rank", Value: newDecimal(0), Usage: "which of them this one is, from 0; node 0 prints"},
		&cli.StringFlag{Name: "run-id", Usage: "name of the run, the same for all launchers; a scheduler's job and step name it by themselves"},
		&cli.StringFlag{Name: "host-id", Usage: "tells hosts of one kernel apart, such as network namespaces"},
		&cli.StringFlag{Name: "etcd-endpoints", Usage: "where launchers meet, as host:port,host:port; without, an etcd server of this run's own"},
	}, tlsFlags()...)
}

// tlsFlags name the files with which clients and servers of etcd know each other.
func tlsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "etcd-ca", Usage: "file with the certificate authority of etcd"},
		&cli.StringFlag{Name: "etcd-cert", Usage: "file with this side's certificate"},
		&cli.StringFlag{Name: "etcd-key", Usage: "file with its key"},
	}
}

// partyOf reads partyFlags.
func partyOf(c *cli.Context) (conduct.Party, error) {
	p := conduct.Party{Nodes: decimalOf[int](c, "nnodes"), NodeRank: decimalOf[int](c, "node-rank"), HostID: c.String("host-id")}
	if p.Nodes < 1 {
		return p, command.Usagef("--nnodes=%d: there is at least one", p.Nodes)
	}
	if p.NodeRank < 0 || p.NodeRank >= p.Nodes {
		return p, command.Usagef("--node-rank=%d: of --nnodes=%d launchers, 0 to %d", p.NodeRank, p.Nodes, p.Nodes-1)
	}
	endpoints, secure, err := parseEndpoints(c.String("etcd-endpoints"))
	if err != nil {
		return p, err
	}
	p.Endpoints = endpoints
	ca, cert, key := c.String("etcd-ca"), c.String("etcd-cert"), c.String("etcd-key")
	if len(endpoints) == 0 {
		if ca+cert+key != "" {
			return p, command.Usagef("--etcd-ca, --etcd-cert and --etcd-key: of which etcd? --etcd-endpoints is missing")
		}
		if p.Nodes > 1 {
			return p, command.Usagef("--nnodes=%d: launchers meet in an etcd; start one with perf coordinator and give it as --etcd-endpoints", p.Nodes)
		}
		return p, nil
	}
	if secure || ca+cert+key != "" {
		p.TLS, err = clientTLS(ca, cert, key)
	}
	return p, err
}

// parseEndpoints splits a list and reports whether it asks for TLS by its schemes.
func parseEndpoints(list string) (endpoints []string, secure bool, err error) {
	if list == "" {
		return nil, false, nil
	}
	plain := false
	for _, endpoint := range strings.Split(list, ",") {
		address := strings.TrimSpace(endpoint)
		if scheme, rest, found := strings.Cut(address, "://"); found {
			address, secure, plain = strings.TrimSuffix(rest, "/"), secure || scheme == "https", plain || scheme == "http"
			if scheme != "http" && scheme != "https" {
				return nil, false, command.Usagef("--etcd-endpoints: %q: not http or https", endpoint)
			}
		}
		parsed, err := url.Parse("//" + address)
		if err != nil || parsed.Hostname() == "" || parsed.Port() == "" || parsed.Host != address {
			return nil, false, command.Usagef("--etcd-endpoints: %q: not host:port, such as 10.0.0.1:2379", endpoint)
		}
		endpoints = append(endpoints, address)
	}
	if secure && plain {
		return nil, false, command.Usagef("--etcd-endpoints: http and https in one list")
	}
	return endpoints, secure, nil
}

// clientTLS reads a client's TLS files; without an authority, the system's own are trusted.
func clientTLS(ca, cert, key string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if (cert == "") != (key == "") {
		return nil, command.Usagef("--etcd-cert and --etcd-key: one needs the other")
	}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("read --etcd-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read --etcd-ca: %s: no certificate in it", ca)
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read --etcd-cert and --etcd-key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// runIDOf names the run: as the user says, else as the scheduler does. "" leaves it to the plan to
// make one, which is good where nobody else has to know it.
func runIDOf(nodes int, typed string, environment func(string) string) (string, error) {
	job, step := environment("SLURM_JOB_ID"), environment("SLURM_STEP_ID")
	switch {
	case typed != "":
		return typed, nil
	case job != "" && step != "":
		return job + "." + step, nil
	case job != "":
		return job, nil
	case nodes > 1:
		return "", command.Usagef("--nnodes=%d: the launchers need a common --run-id; outside of a scheduler give all of them the same", nodes)
	}
	return "", nil
}
