package main_test

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/rendezvous/etcdtest"
)

// A shared etcd is for those with a certificate of its authority.
func TestCoordinatorWithTLS(t *testing.T) {
	t.Parallel()
	files := etcdtest.Certificates(t)
	server := newProgram(t, "coordinator", "--listen=0.0.0.0:0",
		"--etcd-ca="+files.CA, "--etcd-cert="+files.ServerCert, "--etcd-key="+files.ServerKey)
	endpoint := server.endpoint(t)
	endpoint = "127.0.0.1" + endpoint[strings.LastIndex(endpoint, ":"):]
	one := with(small, "--num-processes=1", "--etcd-endpoints=https://"+endpoint, "--etcd-ca="+files.CA)
	member := newProgram(t, with(one, "--etcd-cert="+files.ClientCert, "--etcd-key="+files.ClientKey)...)
	if code := member.run(t); code != 0 {
		t.Errorf("with a certificate: exit code %d: %s", code, &member.stderr)
	}
	stranger := newProgram(t, one...)
	code := stranger.run(t)
	within(t, 7*time.Second, time.Since(stranger.began), stranger.last())
	if code != 1 || !strings.Contains(stranger.last(), "--etcd-cert") {
		t.Errorf("without: exit code %d: %s", code, &stranger.stderr)
	}
	server.Process.Signal(syscall.SIGINT)
	if code := server.end(t); code != 0 || server.stderr.Len() > 0 {
		t.Errorf("coordinator: exit code %d: %s", code, &server.stderr)
	}
}

func TestKilledCoordinatorLeavesNothing(t *testing.T) {
	t.Parallel()
	p := newProgram(t, "coordinator", "--listen=127.0.0.1:0")
	p.endpoint(t)
	own := p.processes(t)
	p.Process.Kill()
	p.Wait()
	p.tidy(t, own, 2*time.Second+busy)
}

func TestCoordinatorSaysThatItsAddressIsTaken(t *testing.T) {
	t.Parallel()
	first := newProgram(t, "coordinator", "--listen=127.0.0.1:0")
	endpoint := first.endpoint(t)
	second := newProgram(t, "coordinator", "--listen="+endpoint)
	if code := second.run(t); code != 1 || !strings.Contains(second.last(), "address already in use") {
		t.Errorf("exit code %d: %s", code, &second.stderr)
	}
	first.Process.Signal(syscall.SIGTERM)
	if code := first.end(t); code != 0 {
		t.Errorf("exit code %d: %s", code, &first.stderr)
	}
}
