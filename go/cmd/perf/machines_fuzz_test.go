package main_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/epperf/epperf/go/internal/host/limittest"
)

const (
	// fuzzedMachines are those of an ordinary test; EPPERF_FUZZ_SECONDS lets it go on for so long instead,
	// and EPPERF_FUZZ_SEED begins with another machine.
	fuzzedMachines = 8
	// fuzzedRun is how long a run may take with the waits that it is given.
	fuzzedRun = 25 * time.Second
	// fuzzedLines is how many lines it may have on stderr.
	fuzzedLines = 20
)

// A fuzzed machine is drawn anew for each run: some of these, together.
var (
	fuzzedLimits = map[string][]string{
		"as":         {"600000000", "1100000000", "1300000000", "1800000000", "3000000000", "6000000000"},
		"data":       {"40000000", "100000000", "200000000", "400000000", "2000000000"},
		"fsize":      {"0", "1", "1000", "20000", "1000000", "5000000", "50000000"},
		"nofile":     {"3", "8", "20", "64", "90", "128", "1000000"},
		"stack":      {"65536", "262144", "1000000", "unlimited"},
		"memlock":    {"0", "65536"},
		"core":       {"0", "unlimited"},
		"cpu":        {"1", "3"},
		"sigpending": {"0", "10"},
		"rss":        {"1000000"},
		"msgqueue":   {"0"},
	}
	fuzzedStages = []string{
		"mount -t tmpfs -o size=%s tmpfs %t",
		"mount -t tmpfs -o nr_inodes=%d tmpfs %t",
		"mount -t tmpfs -o ro tmpfs %t",
		"mount -t tmpfs -o size=%s tmpfs /dev/shm",
		"mount -t tmpfs -o ro tmpfs /dev/shm",
		"mkdir -p out && mount -t tmpfs -o size=%s tmpfs out",
		"mkdir -p out && mount -t tmpfs -o ro tmpfs out",
		"mount -t tmpfs tmpfs /sys",
		"mount -t tmpfs tmpfs /proc/sys",
	}
	fuzzedSizes  = []string{"4k", "64k", "1m", "7m", "9m", "40m"}
	fuzzedGroups = map[string][]string{
		"pids.max":   {"1", "5", "7", "9", "20", "48", "60", "80", "120"},
		"memory.max": {"20000000", "60000000", "120000000", "300000000"},
	}
	fuzzedVariables = []string{
		"GODEBUG=gctrace=0,madvdontneed=1", "GODEBUG=nonsense", "GODEBUG=fips140=x,cgocheck=2", "GODEBUG=schedtrace=1,inittrace=1", "GOMAXPROCS=1", "GOMAXPROCS=0", "GOMAXPROCS=99999999", "GOGC=1", "GOGC=off",
		"GOMEMLIMIT=1MiB", "GOMEMLIMIT=nonsense", "GOTRACEBACK=none", "GRPC_GO_LOG_SEVERITY_LEVEL=info", "GRPC_BINARY_LOG_FILTER=*",
		"GRPC_ENFORCE_ALPN_ENABLED=false", "GRPC_XDS_BOOTSTRAP=/nonexistent", "ETCD_VERIFY=all", "BBOLT_VERIFY=all", "ETCD_UNSUPPORTED_ARCH=x",
		"ETCD_DATA_DIR=/nonexistent", "OTEL_SDK_DISABLED=true", "GOLANG_PROTOBUF_REGISTRATION_CONFLICT=panic", "HTTPS_PROXY=http://127.0.0.1:9",
		"TMPDIR=/nonexistent", "TMPDIR=relative", "TMPDIR=", "HOME=", "PATH=", "TERM=dumb", "TERM=", "COLUMNS=1", "CI=1", "LANG=C.UTF-8", "TZ=nonsense",
		"MALLOC_ARENA_MAX=1", "MALLOC_CHECK_=3", "MALLOC_PERTURB_=85", "GLIBC_TUNABLES=glibc.malloc.arena_max=1", "LD_BIND_NOW=1",
		"LD_LIBRARY_PATH=/nonexistent", "LD_PRELOAD=/nonexistent.so", "UCX_TLS=tcp", "UCX_TLS=nonsense", "UCX_NET_DEVICES=none", "UCX_LOG_LEVEL=info",
		"NIXL_LOG_LEVEL=TRACE", "NIXL_PLUGIN_DIR=/nonexistent", "CUDA_VISIBLE_DEVICES=0,0", "CUDA_VISIBLE_DEVICES=nonsense", "CUDA_LAUNCH_BLOCKING=1",
		"SLURM_JOB_ID=7", "SLURM_JOB_ID=../x", "SLURM_NTASKS=2", "OMPI_COMM_WORLD_SIZE=nonsense", "WORLD_SIZE=-1", "RUNFILES_DIR=/nonexistent",
		"BUILD_WORKING_DIRECTORY=/nonexistent", "EPPERF_DEBUG=1", "EPPERF_NIXL_ROOT=/nonexistent", "SSL_CERT_FILE=/nonexistent", "RES_OPTIONS=ndots:99",
	}
	fuzzedFlags = []string{
		"--num-processes=1", "--num-processes=4", "--num-processes=9", "--tokens=1", "--tokens=0", "--tokens=900", "--hidden=7168", "--hidden=127",
		"--experts-per-rank=8", "--topk=8", "--topk=33", "--iters=1", "--iters=300", "--iters=0", "--warmup=3", "--mode=dispatch", "--mode=combine",
		"--dtype=bf16", "--dtype=fp8", "--layout=flat", "--layout=nonsense", "--combine=expert", "--quantize=outside", "--threads=2", "--threads=64",
		"--routing=balanced", "--routing=zipf", "--routing=file:none.npy", "--seed=18446744073709551615", "--device=auto", "--device=cuda", "--shared-gpu",
		"--nvlink-backend=nixl", "--nvlink-backend=none", "--nixl-root=/nonexistent", "--detail", "--explain", "--soak=50", "--dump=dump", "--sms=4",
		"--output=", "--output=/nonexistent/x", "--output=out/deeper", "--host-id=x", "--run-id=r", "--run-id=../x", "--nnodes=2", "--node-rank=1",
		"--etcd-endpoints=127.0.0.1:1", "--etcd-endpoints=nonsense", "--etcd-ca=/nonexistent", "--nics-per-gpu=0", "--nic-map=0=x", "--quiet", "--beside=gemm",
	}
	fuzzedCommands = [][]string{{"topo"}, {"coordinator", "--listen=127.0.0.1:x"}, {"sweep", "--tokens=1,2"}, {"calibrate", "--working-set=1"}, {"rank"}, {"janitor"}}
)

// drawn is one machine with one run on it.
type drawn struct {
	arguments, variables, limits, stages []string
	controller, setting, value           string // of a cgroup
	ownPIDs                              bool
}

func one[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// pick draws a key, in an order that does not change, and one of its values.
func pick(r *rand.Rand, of map[string][]string) (key, value string) {
	keys := make([]string, 0, len(of))
	for key := range of {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	key = one(r, keys)
	return key, one(r, of[key])
}

func draw(r *rand.Rand) drawn {
	d := drawn{arguments: with(small, "--num-processes=2", "--output=out")}
	if r.IntN(8) == 0 {
		d.arguments = slices.Clone(one(r, fuzzedCommands))
	}
	if d.arguments[0] != "topo" && d.arguments[0] != "coordinator" && d.arguments[0] != "rank" && d.arguments[0] != "janitor" {
		for range r.IntN(4) {
			d.arguments = append(d.arguments, one(r, fuzzedFlags))
		}
		d.arguments = append(d.arguments, "--wait-timeout=2s", "--timeout=20s")
	}
	for range r.IntN(4) {
		d.variables = append(d.variables, one(r, fuzzedVariables))
	}
	for range r.IntN(3) {
		name, value := pick(r, fuzzedLimits)
		d.limits = append(d.limits, name+"="+value)
	}
	for range r.IntN(3) {
		stage := one(r, fuzzedStages)
		stage = strings.Replace(stage, "%s", one(r, fuzzedSizes), 1)
		d.stages = append(d.stages, strings.Replace(stage, "%d", strconv.Itoa(2+r.IntN(60)), 1))
	}
	if r.IntN(4) == 0 && !slices.Contains(d.stages, fuzzedStages[7]) { // else cgroups are hidden
		d.setting, d.value = pick(r, fuzzedGroups)
		d.controller, _, _ = strings.Cut(d.setting, ".")
	}
	d.ownPIDs = r.IntN(8) == 0
	return d
}

// crashed are the words with which Go, C++ and the C library end a process.
var crashed = regexp.MustCompile(`(?m)panic:|^fatal error:|goroutine \d+ \[|runtime:|SIGSEGV|terminate called|Aborted|core dumped|PANIC=`)

// Whatever a machine lacks, whatever is set, and whatever is asked for: a run ends soon, with an exit code
// that is one of ours, and a few lines without a crash in them, and leaves nothing.
func TestMachinesAsTheyComeEndARunInOrder(t *testing.T) {
	var seconds time.Duration
	seed := uint64(1)
	if text := os.Getenv("EPPERF_FUZZ_SECONDS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		seconds = time.Duration(n) * time.Second
	}
	if text := os.Getenv("EPPERF_FUZZ_SEED"); text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	codes := map[int]int{}
	var longest time.Duration
	for began, n := time.Now(), 0; seconds == 0 && n < fuzzedMachines || time.Since(began) < seconds; seed, n = seed+1, n+1 {
		d := draw(rand.New(rand.NewPCG(seed, 0)))
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			code, took := d.run(t)
			codes[code]++
			longest = max(longest, took)
		})
	}
	t.Logf("runs by exit code: %v; the longest took %v", codes, longest.Round(10*time.Millisecond))
}

func (d drawn) run(t *testing.T) (code int, took time.Duration) {
	p := newProgram(t, d.arguments...)
	if len(d.limits) > 0 {
		limittest.Resources(t, p.Cmd, d.limits...)
	}
	limittest.Variables(p.Cmd, d.variables...)
	if d.controller != "" {
		limittest.Cgroup(t, p.Cmd, d.controller, map[string]string{d.setting: d.value})
	}
	shared := t.TempDir() // what is in the machine's own would be left by others
	stages := append([]string{"mount --bind " + shared + " /dev/shm"}, d.stages...)
	limittest.Mounting(t, p.Cmd, strings.ReplaceAll(strings.Join(stages, " && "), "%t", p.temp))
	if d.ownPIDs {
		limittest.OwnPIDs(t, p.Cmd) // and mounts of its own as well
	}
	p.start(t)
	overdue := time.AfterFunc(fuzzedRun+busy, func() { p.Process.Kill() })
	code = p.end(t)
	overdue.Stop()
	took = time.Since(p.began)
	said := p.stderr.String()
	limited := slices.ContainsFunc(d.limits, func(limit string) bool { return strings.HasPrefix(limit, "cpu=") })
	switch {
	case took > fuzzedRun+busy:
		t.Errorf("it took %v", took)
	case code < 0 || code > 2:
		if !d.killedFromOutside(limited, p) && !(code == 127 && unloaded.MatchString(said)) {
			t.Errorf("exit code %d, %v", code, p.ProcessState)
		}
	case crashed.MatchString(said):
		t.Error("it crashed")
	case strings.Count(said, "\n") > fuzzedLines && !slices.Contains(d.variables, "EPPERF_DEBUG=1"):
		t.Errorf("%d lines", strings.Count(said, "\n"))
	case code != 0 && said == "":
		t.Errorf("exit code %d, and no word", code)
	}
	if left, _ := filepath.Glob(filepath.Join(p.folder, "*/*.partial")); len(left) > 0 && code >= 0 && !strings.Contains(said, "kept there") {
		t.Errorf("left %v", left)
	}
	if left, err := os.ReadDir(shared); err != nil || len(left) > 0 {
		t.Errorf("left in shared memory: %v, %v", left, err)
	}
	if t.Failed() {
		t.Logf("%+v\n%s", d, said)
	}
	return code, took
}

// unloaded is what the C library says of a program that it cannot load, before anything of the program runs.
var unloaded = regexp.MustCompile(`error while loading shared libraries: .*\n$`)

// killedFromOutside: of a cgroup without memory, and of CPU time beyond its limit, the kernel kills.
func (d drawn) killedFromOutside(limited bool, p *program) bool {
	return (d.controller == "memory" || limited) && !p.ProcessState.Exited()
}
