package plan_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestRoutingsAreReadAndNamedAlike(t *testing.T) {
	for text, want := range map[string]*epperfv1.Routing{
		"uniform":  {Kind: epperfv1.Routing_KIND_UNIFORM},
		"balanced": {Kind: epperfv1.Routing_KIND_BALANCED},
		"zipf:1.2": {Kind: epperfv1.Routing_KIND_ZIPF, ZipfExponent: 1.2},
		"zipf:0":   {Kind: epperfv1.Routing_KIND_ZIPF},
		"zipf:8":   {Kind: epperfv1.Routing_KIND_ZIPF, ZipfExponent: 8},
		"hot:1":    {Kind: epperfv1.Routing_KIND_HOT, HotExperts: 1},
		"hot:64":   {Kind: epperfv1.Routing_KIND_HOT, HotExperts: 64},
	} {
		t.Run(text, func(t *testing.T) {
			options := plan.Defaults()
			options.Routing = text
			made, err := plan.New(options)
			if err != nil {
				t.Fatal(err)
			}
			got := made.GetCases()[0].GetRouting()
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Errorf("routing (-want +got):\n%s", diff)
			}
			if name := epperfv1.RoutingName(got); name != text {
				t.Errorf("it is named %q", name)
			}
		})
	}
}

func TestBadRoutingsAreOneClearLine(t *testing.T) {
	const forms = "not one of uniform, balanced, zipf:S, hot:K, file:PATH.npy; try --routing=uniform"
	folder := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(folder, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	for text, want := range map[string]string{
		"":               `--routing="": ` + forms,
		"random":         `--routing="random": ` + forms,
		"unspecified":    `--routing="unspecified": ` + forms,
		"uniform:":       `--routing="uniform:": ` + forms,
		"balanced:3":     `--routing="balanced:3": ` + forms,
		"zipf":           `--routing="zipf": ` + forms,
		"zipf:":          `--routing="zipf:": the exponent is no number; try --routing=zipf:1`,
		"zipf:one":       `--routing="zipf:one": the exponent is no number; try --routing=zipf:1`,
		"zipf:-1":        "--routing=zipf:-1: the exponent must be 0 to 8; try --routing=zipf:1",
		"zipf:8.5":       "--routing=zipf:8.5: the exponent must be 0 to 8; try --routing=zipf:1",
		"zipf:nan":       "--routing=zipf:NaN: the exponent must be 0 to 8; try --routing=zipf:1",
		"zipf:inf":       "--routing=zipf:+Inf: the exponent must be 0 to 8; try --routing=zipf:1",
		"hot":            `--routing="hot": ` + forms,
		"hot:0":          "--routing=hot:0: must be 1 to the 64 experts there are; try --routing=hot:64",
		"hot:65":         "--routing=hot:65: must be 1 to the 64 experts there are; try --routing=hot:64",
		"hot:-1":         `--routing="hot:-1": the number of hot experts is none; try --routing=hot:1`,
		"file":           `--routing="file": ` + forms,
		"file:none":      "--routing=file:none: cannot be read: no such file or directory",
		"file:":          "--routing=file:: is no regular file",
		"file:pipe":      "--routing=file:pipe: is no regular file",
		"file:/dev/zero": "--routing=file:/dev/zero: is no regular file",
	} {
		t.Run(text, func(t *testing.T) {
			refuses(t, func(o *plan.Options) { o.Routing = text }, want)
		})
	}
}

func TestAFileIsNamedByItsContent(t *testing.T) {
	folder, other := t.TempDir(), t.TempDir()
	var plans []*epperfv1.Plan
	for _, in := range []string{folder, other} {
		if err := os.WriteFile(filepath.Join(in, "ids.npy"), []byte("ids"), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Chdir(in)
		options := plan.Defaults()
		options.Routing = "file:ids.npy"
		made, err := plan.New(options)
		if err != nil {
			t.Fatal(err)
		}
		file := made.GetCases()[0].GetRouting().GetFile()
		if sum := sha256.Sum256([]byte("ids")); file.GetPath() != filepath.Join(in, "ids.npy") || !bytes.Equal(file.GetSha256(), sum[:]) {
			t.Errorf("file %v", file)
		}
		plans = append(plans, made)
	}
	if !bytes.Equal(plan.Hash(plans[0]), plan.Hash(plans[1])) {
		t.Error("one content at two paths has two hashes")
	}
	if name := epperfv1.RoutingName(plans[0].GetCases()[0].GetRouting()); !strings.HasPrefix(name, "file:") || len(name) != len("file:")+12 {
		t.Errorf("it is named %q", name)
	}
	changed := proto.CloneOf(plans[0])
	changed.Cases[0].Routing.File.Sha256[0]++
	if bytes.Equal(plan.Hash(plans[0]), plan.Hash(changed)) {
		t.Error("two contents have one hash")
	}
}

// A plan may come from anywhere.
func TestValidateTrustsNoRouting(t *testing.T) {
	sum := make([]byte, sha256.Size)
	for name, routing := range map[string]*epperfv1.Routing{
		"none":              nil,
		"of a newer kind":   {Kind: 99},
		"zipf of NaN":       {Kind: epperfv1.Routing_KIND_ZIPF, ZipfExponent: math.NaN()},
		"hot without any":   {Kind: epperfv1.Routing_KIND_HOT},
		"hot beyond all":    {Kind: epperfv1.Routing_KIND_HOT, HotExperts: math.MaxUint32},
		"no file":           {Kind: epperfv1.Routing_KIND_FILE},
		"no path":           {Kind: epperfv1.Routing_KIND_FILE, File: &epperfv1.RoutingFile{Sha256: sum}},
		"no hash":           {Kind: epperfv1.Routing_KIND_FILE, File: &epperfv1.RoutingFile{Path: "/a"}},
		"uniform of a file": {Kind: epperfv1.Routing_KIND_UNIFORM, File: &epperfv1.RoutingFile{Path: "/a", Sha256: sum}},
		"hot with S":        {Kind: epperfv1.Routing_KIND_HOT, HotExperts: 1, ZipfExponent: 1},
		"zipf with K":       {Kind: epperfv1.Routing_KIND_ZIPF, HotExperts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := valid(t)
			p.Cases[0].Routing = routing
			var usage *plan.UsageError
			if err := plan.Validate(p); !errors.As(err, &usage) || usage.Flag != "routing" {
				t.Errorf("Validate: %v; want a UsageError of --routing", err)
			}
		})
	}
}

func TestTokensOfEachRank(t *testing.T) {
	for text, want := range map[string][]uint32{
		"7":        {7, 7, 7},
		"128,0,64": {128, 0, 64},
	} {
		options := plan.Defaults()
		options.NumProcesses, options.Tokens = 3, text
		made, err := plan.New(options)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, made.GetCases()[0].GetTokensOfRank()); diff != "" {
			t.Errorf("--tokens=%s (-want +got):\n%s", text, diff)
		}
	}
}
