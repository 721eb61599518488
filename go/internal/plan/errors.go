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

func line(flag, value, problem, try string) string {
	text := fmt.Sprintf("--%s=%s: %s", flag, value, problem)
	if try != "" {
		text += "; try " + try
	}
	return text
}
