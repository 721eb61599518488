package plan

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

const (
	// maxZipfExponent bounds S of zipf:S. At 8 the second expert is 256 times rarer than the first.
	maxZipfExponent = 8
	// maxRoutingFileBytes is more than the ids of the largest case take as int64.
	maxRoutingFileBytes = maxRanks*maxTokens*maxTopk*8 + 64<<10
)

// parseRouting reads --routing.
func parseRouting(text string) (*epperfv1.Routing, error) {
	name, parameter, has := strings.Cut(text, ":")
	kind, ok := epperfv1.Parse[epperfv1.Routing_Kind](name)
	takes := kind == epperfv1.Routing_KIND_ZIPF || kind == epperfv1.Routing_KIND_HOT || kind == epperfv1.Routing_KIND_FILE
	if !ok || has != takes {
		return nil, badRouting(strconv.Quote(text), "not one of "+epperfv1.RoutingForms(), Defaults().Routing)
	}
	routing := &epperfv1.Routing{Kind: kind}
	switch kind {
	case epperfv1.Routing_KIND_ZIPF:
		exponent, err := strconv.ParseFloat(parameter, 64)
		if err != nil || strings.ContainsAny(parameter, "xX") { // numbers are decimal
			return nil, badRouting(strconv.Quote(text), "the exponent is no number", "zipf:1")
		}
		routing.ZipfExponent = exponent
	case epperfv1.Routing_KIND_HOT:
		hot, err := strconv.ParseUint(parameter, 10, 32)
		if err != nil {
			return nil, badRouting(strconv.Quote(text), "the number of hot experts is none", "hot:1")
		}
		routing.HotExperts = uint32(hot)
	case epperfv1.Routing_KIND_FILE:
		path, err := filepath.Abs(parameter) // ranks may stand elsewhere
		if err != nil {
			return nil, badRouting(typed(text), err.Error(), "")
		}
		content, err := ReadRoutingFile(path)
		if err != nil {
			return nil, badRouting(typed(text), err.Error(), "")
		}
		sum := sha256.Sum256(content)
		routing.File = &epperfv1.RoutingFile{Path: path, Sha256: sum[:]}
	}
	return routing, nil
}

// ReadRoutingFile returns the whole content of a file that could hold a routing.
func ReadRoutingFile(path string) ([]byte, error) {
	// A pipe would wait for a writer, so look before opening.
	info, err := os.Stat(path)
	switch {
	case err != nil:
		var where *fs.PathError
		if errors.As(err, &where) {
			err = where.Err
		}
		return nil, fmt.Errorf("cannot be read: %w", err)
	case !info.Mode().IsRegular():
		return nil, errors.New("is no regular file")
	case info.Size() > maxRoutingFileBytes:
		return nil, fmt.Errorf("has %d bytes, more than any routing", info.Size())
	}
	return os.ReadFile(path)
}

// validateRouting takes a routing from anywhere, of a case whose other numbers are good.
func validateRouting(c *epperfv1.Case) error {
	r := c.GetRouting()
	if err := known("routing", r.GetKind()); err != nil {
		return err
	}
	if exponent := r.GetZipfExponent(); math.IsNaN(exponent) || exponent < 0 || exponent > maxZipfExponent {
		return badRouting(epperfv1.RoutingName(r), fmt.Sprintf("the exponent must be 0 to %d", maxZipfExponent), "zipf:1")
	}
	if r.GetKind() == epperfv1.Routing_KIND_HOT && (r.GetHotExperts() < 1 || int(r.GetHotExperts()) > Experts(c)) {
		problem := fmt.Sprintf("must be 1 to the %d experts there are", Experts(c))
		return badRouting(epperfv1.RoutingName(r), problem, fmt.Sprintf("hot:%d", Experts(c)))
	}
	if f := r.GetFile(); r.GetKind() == epperfv1.Routing_KIND_FILE && (f.GetPath() == "" || len(f.GetSha256()) != sha256.Size) {
		return badRouting(epperfv1.RoutingName(r), "names no file and the SHA-256 of its content", "")
	}
	// Equal routings have equal hashes: nothing stands where it means nothing.
	if (r.GetKind() != epperfv1.Routing_KIND_ZIPF && r.GetZipfExponent() != 0) ||
		(r.GetKind() != epperfv1.Routing_KIND_HOT && r.GetHotExperts() != 0) ||
		(r.GetKind() != epperfv1.Routing_KIND_FILE && r.GetFile() != nil) {
		return badRouting(epperfv1.RoutingName(r), "has a parameter of another kind", "")
	}
	return nil
}

// typed quotes text only where it has to be, so that a path can be copied.
func typed(text string) string {
	if quoted := strconv.Quote(text); quoted != `"`+text+`"` {
		return quoted
	}
	return text
}

func badRouting(value, problem, try string) *UsageError {
	if try != "" {
		try = argument("routing", try)
	}
	return &UsageError{"routing", value, problem, try}
}

// SameRoutingFile reports whether content is the file that the plan was made with.
func SameRoutingFile(f *epperfv1.RoutingFile, content []byte) bool {
	sum := sha256.Sum256(content)
	return bytes.Equal(sum[:], f.GetSha256())
}
