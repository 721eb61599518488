// Package etcdtest makes what tests of a real etcd need: certificates, and a cluster whose members
// can be killed.
package etcdtest

import (
	"crypto/tls"
	"path/filepath"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/certs"
)

// Files are the paths of an authority's certificate, and of certificates that it signed.
type Files struct{ certs.Files }

// Certificates makes an authority, and of it a server of loopback and a client.
func Certificates(t testing.TB) Files {
	t.Helper()
	files, err := certs.Make(filepath.Join(t.TempDir(), "certs"), certs.Request{Hosts: []string{"127.0.0.1"}, Valid: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return Files{files}
}

// Client is how a client with a certificate speaks.
func (f Files) Client(t testing.TB) *tls.Config {
	t.Helper()
	config, err := certs.Client(f.CA, f.ClientCert, f.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	return config
}
