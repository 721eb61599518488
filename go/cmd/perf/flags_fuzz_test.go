package main

import (
	"bytes"
	"strings"
	"testing"
)

// Whatever a flag is given, the run is explained, or one line says what is wrong with the command.
func FuzzFlags(f *testing.F) {
	for _, flag := range [][2]string{
		{"nnodes", "64"},
		{"node-rank", "-1"},
		{"run-id", "a/b"},
		{"host-id", "hv2\n"},
		{"etcd-endpoints", "https://a:1/,b:2"},
		{"etcd-endpoints", "[::1]:0,http://user@a:1"},
		{"etcd-cert", "missing.pem"},
		{"timeout", "2m30s"},
		{"wait-timeout", "18446744073709551616"},
		{"tokens", "1,,65536"},
		{"layout", "contig"},
		{"combine", "expert"},
		{"quantize", "outside"},
		{"kernel", "short"},
		{"hidden", "2880"},
		{"sms", "24"},
		{"device", "cuda"},
		{"nvlink-backend", "nixl"},
		{"nic-map", "0=mlx5_0:1,mlx5_1;1="},
		{"nics-per-gpu", "0"},
		{"routing", "zipf:NaN"},
		{"threads", "1e9"},
		{"calibration", "x.epperf"},
		{"no-such-flag", ""},
	} {
		f.Add(flag[0], flag[1])
	}
	f.Fuzz(func(t *testing.T, name, value string) {
		for _, file := range []string{"file:", "etcd-ca", "etcd-cert", "etcd-key"} {
			if strings.Contains(name+value, file) && strings.ContainsAny(value, "/.") {
				return // not into the machine's own files
			}
		}
		var stdout, stderr bytes.Buffer
		code := perf([]string{"perf", "--explain", "--" + name + "=" + value}, &stdout, &stderr)
		lines := strings.Count(stderr.String(), "\n")
		if code == 0 && (stdout.Len() == 0 || lines > 0) || code != 0 && (lines != 1 || stdout.Len() > 0) {
			t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
		}
	})
}
