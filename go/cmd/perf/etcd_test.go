package main_test

import (
	"bufio"
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// An etcd is a server in a process of its own, with keys of others in it.
type etcd struct {
	endpoint string
	server   *program // nil if it is not ours
	client   *clientv3.Client
	foreign  map[string]int64 // revisions by key
}

// coordinator starts perf coordinator.
func coordinator(t *testing.T) *etcd {
	t.Helper()
	return newProgram(t, "coordinator", "--listen=127.0.0.1:0").serves(t)
}

// serves starts a coordinator and puts keys of others into it.
func (p *program) serves(t *testing.T) *etcd {
	t.Helper()
	endpoint := p.endpoint(t)
	client, err := clientv3.New(clientv3.Config{Endpoints: []string{endpoint}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	e := &etcd{endpoint: endpoint, server: p, client: client}
	t.Cleanup(func() { e.end(t) })
	e.plant(t)
	return e
}

// endpoint starts a coordinator and returns what it says.
func (p *program) endpoint(t *testing.T) string {
	t.Helper()
	p.Stdout = nil
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.start(t)
	line, err := bufio.NewReader(out).ReadString('\n')
	endpoint, found := strings.CutPrefix(strings.TrimSpace(line), "etcd: --etcd-endpoints=")
	if err != nil || !found {
		t.Fatalf("coordinator said %q, %v: %s", line, err, &p.stderr)
	}
	return endpoint
}

// plant puts keys of others beside and around those of runs.
func (e *etcd) plant(t *testing.T) {
	t.Helper()
	e.foreign = map[string]int64{}
	for _, key := range []string{"/nixl/agents/7", "/epperf/", "/epperf/other/run", "/epperf/run0/run", "/epperf/r", "/zzz"} {
		put, err := e.client.Put(soon(t), key, "theirs")
		if err != nil {
			t.Fatal(err)
		}
		e.foreign[key] = put.Header.Revision
	}
}

// untouched sees that within the limit there is no key but those of others, and these are as they
// were.
func (e *etcd) untouched(t *testing.T, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit+busy)
	defer cancel()
	began := time.Now()
	changes := e.client.Watch(ctx, "", clientv3.WithPrefix(), clientv3.WithCreatedNotify())
	for range changes { // first that the watch is open, then each change
		found, err := e.client.Get(soon(t), "", clientv3.WithPrefix())
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for _, kv := range found.Kvs {
			if e.foreign[string(kv.Key)] == kv.ModRevision {
				same++
			}
		}
		if same != len(e.foreign) {
			t.Fatalf("%d of %d foreign keys are untouched: %v", same, len(e.foreign), found.Kvs)
		}
		if len(found.Kvs) == same {
			t.Logf("no key is left after %v", time.Since(began).Round(10*time.Millisecond))
			return
		}
	}
	found, err := e.client.Get(soon(t), "/epperf/", clientv3.WithPrefix())
	t.Errorf("after %v there are the keys %v, %v", limit, found.Kvs, err)
}

func (e *etcd) end(t *testing.T) {
	e.client.Close()
	if e.server == nil || e.server.ProcessState != nil {
		return
	}
	e.server.Process.Signal(syscall.SIGTERM)
	if code := e.server.end(t); code != 0 || e.server.stderr.Len() > 0 {
		t.Errorf("coordinator: exit code %d: %s", code, &e.server.stderr)
	}
}

func soon(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
