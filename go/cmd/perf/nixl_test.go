package main_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// Real NIXL, as Bazel put it beside the program.

func TestRowsTravelOverNIXL(t *testing.T) {
	for _, test := range []struct {
		backend   string
		arguments []string
	}{
		{"nixl-proxy", []string{"--num-processes=2", "--mode=dispatch"}},
		{"nixl-proxy", []string{"--num-processes=2", "--mode=combine", "--dtype=bf16", "--detail"}},
		{"nixl-proxy", []string{"--num-processes=8", "--threads=2", "--routing=zipf:1.2", "--tokens=0,1,2,3,4,5,6,7"}},
		{"nixl-proxy", []string{"--num-processes=3", "--layout=contig", "--combine=expert"}},
		{"none", []string{"--num-processes=2", "--layout=flat"}},
		{"none", []string{"--num-processes=8"}},
	} {
		t.Run(test.backend+strings.Join(test.arguments, ""), func(t *testing.T) {
			p := newProgram(t, with(with(small, "--nvlink-backend="+test.backend), test.arguments...)...)
			if code := p.run(t); code != 0 || p.stderr.Len() > 0 {
				t.Fatalf("exit code %d, stdout:\n%sstderr:\n%s", code, &p.stdout, &p.stderr)
			}
			if want := map[string]string{"none": "\nBackend: none (tcp)\n", "nixl-proxy": "\nBackend: nixl-proxy (shared memory)\n"}[test.backend]; !strings.Contains(p.stdout.String(), want) {
				t.Errorf("it does not print %q:\n%s", want, &p.stdout)
			}
			if !regexp.MustCompile(`\nNetwork: UCX 1\.\d+\.\d+ \(modules: .+\)\nTransport: `).Match(p.stdout.Bytes()) {
				t.Errorf("stdout:\n%s", &p.stdout)
			}
			kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
			for rank := range int(kept.Header.GetPlan().GetCases()[0].GetRanks()) {
				result := kept.Rank(0, rank).Result
				for peer, path := range result.GetPathToRank() {
					if own := peer == rank; own != (path == epperfv1.Path_PATH_OWN) || !own && path != epperfv1.Path_PATH_NETWORK {
						t.Errorf("rank %d reaches rank %d by %v", rank, peer, path)
					}
				}
				network := result.GetNetwork()
				for _, peer := range network.GetPeers() {
					if peer.GetPath() != epperfv1.Path_PATH_NETWORK || peer.GetWhy() != "nothing is mapped" {
						t.Errorf("rank %d: %v", rank, peer)
					}
					if peer.GetProbeSmallNs() == 0 || peer.GetProbeNs() == 0 || peer.GetProbeBytes() < 64 {
						t.Errorf("rank %d: what a message takes was not probed: %v", rank, peer)
					}
				}
				if sent := network.GetSent(); sent.GetMessages() < uint64(len(network.GetPeers())) || sent.GetBytes() == 0 || sent.GetSteps() == 0 {
					t.Errorf("rank %d sent %v to %d peers", rank, sent, len(network.GetPeers()))
				}
				if !slices.Contains(network.GetModules(), "cma") { // without it UCX is ten times slower, and silent
					t.Errorf("rank %d: modules %q", rank, network.GetModules())
				}
				transports := strings.Join(network.GetTransports(), "\n")
				if strings.Contains(transports, "tcp") != (test.backend == "none") {
					t.Errorf("rank %d: transports %q", rank, transports)
				}
			}
		})
	}
}

// Within a host there is nothing to post, and nobody loads what posts.
func TestNIXLMapsWithinAHost(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2", "--nvlink-backend=nixl")...)
	const want = "\nBackend: nixl (mapped within a host)\n"
	if code := p.run(t); code != 0 || p.stderr.Len() > 0 || !strings.Contains(p.stdout.String(), want) || strings.Contains(p.stdout.String(), "Network:") {
		t.Fatalf("exit code %d, stdout:\n%sstderr:\n%s", code, &p.stdout, &p.stderr)
	}
	kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
	if got := kept.Rank(0, 0).Result.GetPathToRank(); !slices.Equal(got, []epperfv1.Path{epperfv1.Path_PATH_OWN, epperfv1.Path_PATH_MAPPED}) {
		t.Errorf("rank 0 reaches ranks by %v", got)
	}
}

// What is printed is what happened: nobody is told of TCP that was asked for where it was not taken.
func TestWhatAUserSetsOfUCXIsToldWhereItContradictsTheBackend(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2", "--nvlink-backend=none")...)
	p.Env = append(p.Env, "UCX_TLS=sm,self")
	code := p.run(t)
	for _, want := range []string{"\nBackend: none (shared memory)\n", "\nWarning: UCX_TLS, which is set, has rows go over shared memory, which --nvlink-backend=none does not mean\n"} {
		if code != 0 || !strings.Contains(p.stdout.String(), want) {
			t.Errorf("exit code %d, no %q in\n%sstderr:\n%s", code, want, &p.stdout, &p.stderr)
		}
	}
}

func TestAUsersWayToSetUCXWins(t *testing.T) {
	p := newProgram(t, with(small, "--num-processes=2", "--nvlink-backend=nixl-proxy")...)
	p.Env = append(p.Env, "UCX_TLS=tcp,self")
	if code := p.run(t); code != 0 || !strings.Contains(p.stdout.String(), "tcp") {
		t.Fatalf("exit code %d, stdout:\n%sstderr:\n%s", code, &p.stdout, &p.stderr)
	}
	kept := p.record(t, filepath.Join(p.folder, "epperf-results"))
	if got := kept.Header.GetHosts()[0].GetUcxEnvironment(); !slices.Contains(got, "UCX_TLS=tcp,self") {
		t.Errorf("the record knows of %q", got)
	}
	for _, set := range kept.Rank(0, 0).Result.GetNetwork().GetEnvironment() {
		if strings.HasPrefix(set, "UCX_TLS=") {
			t.Errorf("it says that we set %s", set)
		}
	}
}

// UCX says nothing of it, and the run passes.
func TestUCXWithoutItsModulesIsWarnedOf(t *testing.T) {
	root := t.TempDir()
	linkNIXL(t, root, "nixl_cu13.libs/ucx")
	p := newProgram(t, with(small, "--num-processes=2", "--nvlink-backend=nixl-proxy", "--nixl-root="+root)...)
	const want = "Warning: without its module cma UCX takes a slower way; is UCX_MODULE_DIR right? (ranks: 0, 1)\n"
	if code := p.run(t); code != 0 || !strings.Contains(p.stdout.String(), want) {
		t.Errorf("exit code %d, stdout:\n%sstderr:\n%s", code, &p.stdout, &p.stderr)
	}
}

// linkNIXL makes root a NIXL of links to the real one's files, all but those below a folder.
func linkNIXL(t *testing.T, root, without string) {
	real, err := filepath.Glob(filepath.Join(os.Getenv("RUNFILES_DIR"), "*nixl"))
	if err != nil || len(real) != 1 {
		t.Fatalf("NIXL among the test's files: %q, %v", real, err)
	}
	err = filepath.WalkDir(real[0], func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(real[0], path)
		if err != nil {
			return err
		}
		switch {
		case inside == without:
			return filepath.SkipDir
		case entry.IsDir():
			return os.MkdirAll(filepath.Join(root, inside), 0o755)
		default:
			return os.Symlink(path, filepath.Join(root, inside))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNIXLThatIsMissingOrBroken(t *testing.T) {
	broken := t.TempDir()
	library := filepath.Join(broken, ".nixl_cu13.mesonpy.libs", "libnixl_capi.so")
	if err := os.MkdirAll(filepath.Dir(library), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(library, []byte("no library"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ root, want string }{
		"missing": {filepath.Join(broken, "nowhere"), "nowhere"},
		"broken":  {broken, "libnixl_capi.so"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newProgram(t, with(small, "--num-processes=2", "--nvlink-backend=none", "--nixl-root="+test.root)...)
			if code := p.run(t); code != 1 || !strings.Contains(p.last(), test.want) {
				t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
		})
	}
}

func TestARankIsKilledWhileNIXLWritesToIt(t *testing.T) {
	for _, backend := range []string{"nixl-proxy", "none"} {
		t.Run(backend, func(t *testing.T) {
			p := newProgram(t, with(endless, "--nvlink-backend="+backend)...)
			p.until(t, "timing")
			for victim := range p.ranks(t, 4) {
				syscall.Kill(victim, syscall.SIGKILL)
				break
			}
			began := time.Now()
			<-p.rest
			code := p.end(t)
			within(t, time.Second, time.Since(began), p.last())
			if code != 1 || !regexp.MustCompile(`rank [0-3] \(pid \d+ on .+\): killed by signal 9`).MatchString(p.last()) {
				t.Errorf("exit code %d, stderr:\n%s", code, &p.stderr)
			}
		})
	}
}

// --host-id stands in for hosts: what is refused of mapped memory works over a network.
func TestLaunchersOfSeveralHosts(t *testing.T) {
	e := coordinator(t)
	for backend, header := range map[string]string{
		"none": "\nBackend: none (tcp)\n",
		"nixl": "\nBackend: nixl (mapped within a host, tcp between hosts)\n",
	} {
		t.Run(backend, func(t *testing.T) {
			launchers := e.three(t, backend, with(small, "--nvlink-backend="+backend)...)
			for node, p := range launchers {
				p.Args = append(p.Args, "--host-id="+strconv.Itoa(node))
				p.start(t)
			}
			for node, p := range launchers {
				if code := p.end(t); code != 0 || p.stderr.Len() > 0 {
					t.Errorf("node %d: exit code %d: %s", node, code, &p.stderr)
				}
			}
			for _, want := range []string{header, "Device: cpu (6 ranks on ", " of 3 hosts", "Checked: 6/6 ranks, "} {
				if !strings.Contains(launchers[0].stdout.String(), want) {
					t.Errorf("node 0 does not print %q:\n%s", want, &launchers[0].stdout)
				}
			}
			kept := launchers[0].record(t, filepath.Join(launchers[0].folder, "epperf-results"))
			for peer, path := range kept.Rank(0, 3).Result.GetPathToRank() {
				want := epperfv1.Path_PATH_NETWORK
				switch {
				case peer == 3:
					want = epperfv1.Path_PATH_OWN
				case peer == 2 && backend == "nixl":
					want = epperfv1.Path_PATH_MAPPED
				}
				if path != want {
					t.Errorf("rank 3 reaches rank %d by %v, want %v", peer, path, want)
				}
			}
		})
	}
	e.untouched(t, time.Second)
}
