package certs_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/certs"
)

func request(hosts ...string) certs.Request { return certs.Request{Hosts: hosts, Valid: time.Hour} }

// What is secret is its user's alone, and an authority's key is nowhere.
func TestKeysAreForTheirUserAlone(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "new", "certs")
	if _, err := certs.Make(folder, request("a")); err != nil {
		t.Fatal(err)
	}
	keys := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		if text, _ := os.ReadFile(path); strings.Contains(string(text), "PRIVATE KEY") {
			keys++
		}
		return nil
	})
	if err != nil || keys != 2 {
		t.Errorf("%d keys, %v; want the server's and the clients'", keys, err)
	}
}

// A folder with something in it stays as it is, and nothing is left beside it.
func TestAFolderInUseIsLeftAlone(t *testing.T) {
	parent := t.TempDir()
	folder := filepath.Join(parent, "certs")
	files, err := certs.Make(folder, request("a"))
	if err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(files.CA)
	if _, err := certs.Make(folder, request("a")); err == nil || !strings.Contains(err.Error(), folder+": it is not empty") {
		t.Errorf("again: %v", err)
	}
	if after, _ := os.ReadFile(files.CA); string(after) != string(before) {
		t.Error("the authority was replaced")
	}
	if left, _ := os.ReadDir(parent); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
	if _, err := certs.Make(filepath.Join(parent, "none"), request()); err == nil {
		t.Error("certificates for no host")
	}
}

// handshake lets a client call a server and returns what each says of it. Over a socket: one that
// refuses writes its alert while the other still writes, which on a net.Pipe waits forever.
func handshake(t *testing.T, server, client *tls.Config) (ofServer, ofClient error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	served := make(chan error, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			served <- err
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(deadline)
		_, err = conn.Write([]byte("x")) // a client learns with its first byte that it was refused
		served <- err
	}()
	plain, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	_ = plain.SetDeadline(deadline)
	_, ofClient = tls.Client(plain, client).Read(make([]byte, 1))
	plain.Close()
	return <-served, ofClient
}

func TestOnlyWhoHasACertificateIsServed(t *testing.T) {
	files, err := certs.Make(filepath.Join(t.TempDir(), "certs"), request("node-a", "10.0.0.1"))
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(files.ServerCert, files.ServerKey)
	if err != nil {
		t.Fatal(err)
	}
	member, err := certs.Client(files.CA, files.ClientCert, files.ClientKey)
	if err != nil {
		t.Fatal(err)
	}
	server := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: member.RootCAs, ClientAuth: tls.RequireAndVerifyClientCert}
	for _, name := range []string{"node-a", "10.0.0.1"} {
		member.ServerName = name
		if ofServer, ofClient := handshake(t, server, member); ofServer != nil || ofClient != nil {
			t.Errorf("%s: %v, %v", name, ofServer, ofClient)
		}
	}
	member.ServerName = "node-b"
	if _, err := handshake(t, server, member); err == nil {
		t.Error("a server passes for node-b")
	}
	other, err := certs.Make(filepath.Join(t.TempDir(), "certs"), request("node-a"))
	if err != nil {
		t.Fatal(err)
	}
	for name, files := range map[string]certs.Files{"without": {CA: files.CA}, "another authority's": {CA: files.CA, ClientCert: other.ClientCert, ClientKey: other.ClientKey}} {
		stranger, err := certs.Client(files.CA, files.ClientCert, files.ClientKey)
		if err != nil {
			t.Fatal(err)
		}
		stranger.ServerName = "node-a"
		if err, _ := handshake(t, server, stranger); err == nil {
			t.Errorf("a client with %s certificate is served", name)
		}
	}
	// A client's certificate is none of a server.
	text, _ := os.ReadFile(files.ClientCert)
	block, _ := pem.Decode(text)
	client, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Verify(x509.VerifyOptions{Roots: member.RootCAs}); err == nil {
		t.Error("it passes for a server's")
	}
}

func TestFilesThatAreNone(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string][3]string{
		"no certificate in it":       {empty, "", ""},
		"no such file":               {empty + "-not", "", ""},
		"a certificate and its key:": {"", empty, empty},
	} {
		if _, err := certs.Client(files[0], files[1], files[2]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", files, err)
		}
	}
}
