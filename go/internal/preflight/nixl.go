package preflight

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/epperf/epperf/go/internal/native"
	"github.com/epperf/epperf/go/internal/plan"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// nixlLibrary is a file of NIXL, below its root.
const nixlLibrary = ".nixl_cu13.mesonpy.libs/libnixl_capi.so"

// FindNIXL says where ranks may find NIXL: as the user says, else with what this program was built
// with; else the system may have it, which ranks find out.
func FindNIXL(p *epperfv1.Plan, root string) (native.NIXL, error) {
	if !plan.BackendOf(p).NIXL {
		return native.NIXL{}, nil
	}
	if root != "" {
		absolute, err := filepath.Abs(root)
		if err != nil {
			return native.NIXL{}, fmt.Errorf("--nixl-root: %w", err)
		}
		return native.NIXL{Root: absolute}, nil
	}
	for _, runfiles := range runfilesFolders() {
		// Bazel decorates the repository's name, each version in its own way.
		found, err := filepath.Glob(filepath.Join(runfiles, "*nixl", nixlLibrary))
		if err == nil && len(found) > 0 {
			return native.NIXL{Candidate: filepath.Dir(filepath.Dir(found[0]))}, nil
		}
	}
	return native.NIXL{}, nil
}

// runfilesFolders are where Bazel may have put what this program needs at run time: beside it, or
// where a test keeps all its data, programs among them. Bazel's own library for this question would
// bring a dozen modules.
func runfilesFolders() []string {
	folders := []string{os.Getenv("RUNFILES_DIR")}
	program, err := os.Executable()
	if err == nil {
		folders = append(folders, program+".runfiles")
	}
	return slices.DeleteFunc(folders, func(folder string) bool { return folder == "" })
}
