package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// One folder is good for the server and for all launchers, and neither prints what is secret in it.
func TestCertificatesForCoordinatorAndLaunchers(t *testing.T) {
	t.Parallel()
	made := newProgram(t, "certs", "--out=certs", "--hosts=127.0.0.1,localhost")
	if code := made.run(t); code != 0 || !strings.HasPrefix(made.stdout.String(), "Certificates: certs (of an etcd at 127.0.0.1, localhost, until ") {
		t.Fatalf("exit code %d, stdout %q: %s", code, &made.stdout, &made.stderr)
	}
	folder := "--certs=" + filepath.Join(made.folder, "certs")
	server := newProgram(t, "coordinator", "--listen=0.0.0.0:0", folder)
	endpoint := server.endpoint(t)
	endpoint = "localhost" + endpoint[strings.LastIndex(endpoint, ":"):]
	p := newProgram(t, with(small, "--num-processes=1", "--etcd-endpoints="+endpoint, folder)...)
	if code := p.run(t); code != 0 {
		t.Errorf("exit code %d: %s", code, &p.stderr)
	}
	server.Process.Signal(syscall.SIGTERM)
	if code := server.end(t); code != 0 {
		t.Errorf("coordinator: exit code %d: %s", code, &server.stderr)
	}
	p.keepsNoSecret(t)
}

// keepsNoSecret looks for keys in all that the program printed and left.
func (p *program) keepsNoSecret(t *testing.T) {
	t.Helper()
	texts := map[string]string{"stdout": p.stdout.String(), "stderr": p.stderr.String()}
	files, _ := filepath.Glob(filepath.Join(p.folder, "epperf-results", "*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts[file] = string(text)
	}
	for where, text := range texts {
		if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "BEGIN CERTIFICATE") {
			t.Errorf("%s has a key or a certificate", where)
		}
	}
}

func TestCertificatesThatMakeNoSense(t *testing.T) {
	for arguments, want := range map[string]string{
		"--hosts=a":                        "--out",
		"--out=c":                          "--hosts",
		"--out=c --hosts=a,,b":             "--hosts",
		"--out=c --hosts=a --days=0":       "--days",
		"--out=c --hosts=a more":           "takes no arguments",
		"--out=c --hosts=https://a --days": "--days",
	} {
		p := newProgram(t, append([]string{"certs"}, strings.Fields(arguments)...)...)
		if code := p.run(t); code != 2 || !strings.Contains(p.stderr.String(), want) {
			t.Errorf("%s: exit code %d: %s", arguments, code, &p.stderr)
		}
	}
}
