// Package workdir brings a program to where its user stands.
package workdir

import (
	"fmt"
	"os"
)

// Enter goes to the folder in which `bazel run` was typed: Bazel starts programs elsewhere and says
// where it was. Started otherwise, a program is there already. Call it first, so that relative
// paths are the user's.
func Enter() error {
	folder := os.Getenv("BUILD_WORKING_DIRECTORY")
	if folder == "" {
		return nil
	}
	if err := os.Chdir(folder); err != nil {
		return fmt.Errorf("go to where bazel run was typed: %w", err)
	}
	return nil
}
