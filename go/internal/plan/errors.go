package plan

import "fmt"

// A UsageError says that a value cannot be run by any build. Commands exit with 2.
type UsageError struct {
	// Flag is the flag's name without dashes.
	Flag string
	// Value is what it was given, as the user would type it.
	Value string
	// Problem completes the sentence "the value …".
	Problem string
	// Try is a whole argument that would do, for instance --hidden=1024; may be empty.
	Try string
}

func (e *UsageError) Error() string {
	return line(e.Flag, e.Value, e.Problem, e.Try)
}

// Misuse says to commands whose error it is.
func (*UsageError) Misuse() {}

// A NotInBuildError says that a value is a good one but that this build cannot run it on GPUs. Commands
// exit with 1.
type NotInBuildError struct {
	// Flag is the flag's name without dashes.
	Flag string
	// Value is what it was given, as the user would type it.
	Value string
	// Try is a whole argument that this build can run.
	Try string
}

func (e *NotInBuildError) Error() string {
	return line(e.Flag, e.Value, "not on GPUs in this build", e.Try)
}

func line(flag, value, problem, try string) string {
	text := fmt.Sprintf("--%s=%s: %s", flag, value, problem)
	if try != "" {
		text += "; try " + try
	}
	return text
}
