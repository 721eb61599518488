package main_test

import (
	"net"
	"os"
	"strings"
	"testing"
)

// A rendezvous is inside the cluster: no proxy is on the way to it, and no library of ours talks of it.
func TestAnEtcdByNameIsReachedWithoutAProxy(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	// Go's own rule asks no proxy for localhost, so it has to be another name of loopback.
	if at, err := net.LookupHost(name); err != nil || len(at) == 0 || at[0] != "127.0.0.1" {
		t.Skipf("skipped: this machine's name %q is %v, not 127.0.0.1 (%v)", name, at, err)
	}
	_, port, err := net.SplitHostPort(coordinator(t).endpoint)
	if err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, with(small, "--num-processes=2", "--etcd-endpoints="+net.JoinHostPort(name, port))...)
	for _, variable := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY"} {
		p.Env = append(p.Env, variable+"=http://127.0.0.1:9")
	}
	p.Env = append(p.Env, "GRPC_GO_LOG_SEVERITY_LEVEL=info", "GRPC_GO_LOG_VERBOSITY_LEVEL=99", "ETCD_CLIENT_DEBUG=debug", "GRPC_BINARY_LOG_FILTER=*")
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 || !strings.Contains(p.stdout.String(), "2/2 ranks passed") {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
}

// Go's runtime and packages read their settings before any code of this program, and end it where one is
// misspelt, or print what they do.
func TestSettingsOfGoHaveNoEffect(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2")...)
	p.Env = append(p.Env, "GODEBUG=fips140=x,cgocheck=2,schedtrace=1,inittrace=1,cpu.x=y", "GOMEMLIMIT=nonsense", "GOGC=1", "GOMAXPROCS=99999999")
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 || !strings.Contains(p.stdout.String(), "2/2 ranks passed") {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
}
