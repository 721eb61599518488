package plan

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
)

// RunID is what names of runs match: they are good in file names, in etcd keys and on command lines.
var RunID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// RunIDForm is RunID in words.
const RunIDForm = "1 to 64 letters, digits, dots, dashes and underscores, a letter or digit first"

// newRunID returns eight random hexadecimal digits. A second claim of the same id is an error
// where runs share an etcd, so an unlikely collision costs a retry and no result.
func newRunID() string {
	var random [4]byte
	rand.Read(random[:]) // never fails
	return hex.EncodeToString(random[:])
}
