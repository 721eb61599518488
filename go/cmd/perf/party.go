package main

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/epperf/epperf/go/internal/certs"
	"github.com/epperf/epperf/go/internal/command"
	"github.com/epperf/epperf/go/internal/conduct"
)

// partyFlags are the flags of a run on several hosts.
func partyFlags() []cli.Flag {
	return append([]cli.Flag{
		&cli.GenericFlag{Name: "nnodes", Value: newDecimal(1), Usage: "number of launchers, one a host, each with --num-processes ranks; srun, mpirun and others say it by themselves"},
		&cli.GenericFlag{Name: "node-rank", Value: newDecimal(0), Usage: "which of them this one is, from 0; node 0 prints"},
		startedBy(),
		&cli.StringFlag{Name: "run-id", Usage: "name of the run, the same for all launchers; a scheduler's job and step name it by themselves"},
		&cli.StringFlag{Name: "host-id", Usage: "tells hosts of one kernel apart, such as network namespaces"},
		&cli.StringFlag{Name: "master-addr", Usage: "where node 0 runs, as host or host:port; it serves there the etcd in which launchers meet"},
		&cli.StringFlag{Name: "etcd-endpoints", Usage: "another etcd where launchers meet, as host:port,host:port"},
	}, tlsFlags()...)
}

// tlsFlags name the files with which clients and servers of etcd know each other.
func tlsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "certs", Usage: "folder that perf certs made, for all that --etcd-ca, --etcd-cert and --etcd-key name"},
		&cli.StringFlag{Name: "etcd-ca", Usage: "file with the certificate authority of etcd"},
		&cli.StringFlag{Name: "etcd-cert", Usage: "file with this side's certificate"},
		&cli.StringFlag{Name: "etcd-key", Usage: "file with its key"},
	}
}

// filesOf reads tlsFlags; nil if there is none. What --etcd-cert names is for both sides.
func filesOf(c *cli.Context) (*certs.Files, error) {
	ca, cert, key := c.String("etcd-ca"), c.String("etcd-cert"), c.String("etcd-key")
	folder := c.String("certs")
	switch {
	case folder != "" && ca+cert+key != "":
		return nil, command.Usagef("--etcd-ca, --etcd-cert and --etcd-key: --certs has them")
	case folder != "":
		files := certs.In(folder)
		return &files, nil
	case (cert == "") != (key == ""):
		return nil, command.Usagef("--etcd-cert and --etcd-key: one needs the other")
	case ca+cert == "":
		return nil, nil
	}
	return &certs.Files{CA: ca, ServerCert: cert, ServerKey: key, ClientCert: cert, ClientKey: key}, nil
}

// partyOf reads partyFlags, for this launcher of a run.
func partyOf(c *cli.Context, at place, runID string) (conduct.Party, error) {
	p := conduct.Party{Nodes: at.nodes, NodeRank: at.rank, HostID: c.String("host-id")}
	endpoints, secure, err := parseEndpoints(c.String("etcd-endpoints"))
	if err != nil {
		return p, err
	}
	files, err := filesOf(c)
	if err != nil {
		return p, err
	}
	if len(endpoints) == 0 {
		return masteredBy(c, p, at, files, runID)
	}
	if c.IsSet("master-addr") {
		return p, command.Usagef("--master-addr and --etcd-endpoints: launchers meet in one of them")
	}
	p.Endpoints = endpoints
	if files == nil && secure {
		files = &certs.Files{}
	}
	if files != nil {
		if p.TLS, err = certs.Client(files.CA, files.ClientCert, files.ClientKey); err != nil {
			return p, fmt.Errorf("--etcd-endpoints: %w", err)
		}
	}
	return p, nil
}

// masteredBy adds where node 0 serves, of several launchers that have no other etcd.
func masteredBy(c *cli.Context, p conduct.Party, at place, files *certs.Files, runID string) (conduct.Party, error) {
	host, port, err := parseMaster(c.String("master-addr"))
	if err != nil {
		return p, err
	}
	if p.Nodes == 1 {
		if files != nil {
			return p, command.Usagef("--certs, --etcd-ca, --etcd-cert and --etcd-key: of which etcd? --etcd-endpoints is missing")
		}
		return p, nil
	}
	if host == "" && at.as != nil {
		host = at.as.First
		if at.as.OneHost {
			host = "127.0.0.1"
		}
		if at.as.Port > 0 {
			port = strconv.Itoa(at.as.Port)
		}
	}
	if host == "" {
		return p, command.Usagef("--nnodes=%d: launchers meet in an etcd; give all of them --master-addr=HOST, the host of node 0, which serves one there, or --etcd-endpoints of another", p.Nodes)
	}
	if files != nil && (files.CA == "" || files.ServerCert == "") {
		return p, command.Usagef("--master-addr: node 0 needs all of --etcd-ca, --etcd-cert and --etcd-key, or --certs, or none of them")
	}
	p.Master = &conduct.Master{
		Host: host, Port: cmp.Or(port, portOf(runID)), Certificates: files,
		Own: filepath.Join(c.String("output"), ".epperf-certs-"+runID),
	}
	return p, nil
}

// parseMaster splits host or host:port.
func parseMaster(text string) (host, port string, err error) {
	if text == "" || net.ParseIP(text) != nil {
		return text, "", nil
	}
	if !strings.Contains(text, ":") {
		return text, "", nil
	}
	host, port, err = net.SplitHostPort(text)
	if number, wrong := strconv.ParseUint(port, 10, 16); err != nil || host == "" || wrong != nil || number == 0 {
		return "", "", command.Usagef("--master-addr=%s: neither host nor host:port, such as 10.0.0.1 or node-a:2379", text)
	}
	return host, port, nil
}

// portOf returns the port of a run's own etcd, which all launchers find alike: below those that systems give
// to clients, and for most runs another.
func portOf(runID string) string {
	sum := fnv.New32a()
	sum.Write([]byte(runID))
	return strconv.Itoa(20_000 + int(sum.Sum32()%10_000))
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

// runIDOf names the run: as the user says, else as what started the copies does, else as the scheduler. ""
// leaves it to the plan to make one, which is good where nobody else has to know it.
func runIDOf(c *cli.Context, at place, environment func(string) string) (string, error) {
	job, step := environment("SLURM_JOB_ID"), environment("SLURM_STEP_ID")
	switch typed := c.String("run-id"); {
	case typed != "":
		return typed, nil
	case at.as != nil && at.as.RunID != "":
		return at.as.RunID, nil
	case job != "" && step != "":
		return job + "." + step, nil
	case job != "":
		return job, nil
	case at.nodes > 1:
		return "", command.Usagef("--nnodes=%d: the launchers need a common --run-id; outside of a scheduler give all of them the same", at.nodes)
	}
	return "", nil
}
