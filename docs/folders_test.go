package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// A rule is what may lie below a package, as tools/imports/BUILD.bazel says.
type rule struct {
	target  string // csrc/rank:cpu
	allowed []string
}

func (r rule) folder() string {
	folder, _, _ := strings.Cut(r.target, ":")
	return folder
}

// allows reports whether the rule lets the package know another.
func (r rule) allows(folder string) bool {
	for _, allowed := range r.allowed {
		if regexp.MustCompile("^("+allowed+")(:|$)").MatchString(folder) || strings.HasPrefix(allowed, folder+":") {
			return true
		}
	}
	return false
}

// language is the first part of a folder's name: go/ or csrc/.
func language(folder string) string { return folder[:strings.Index(folder, "/")+1] }

func rules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile("../tools/imports/BUILD.bazel")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile(`"([^"]*)"`)
	var all []rule
	for _, found := range regexp.MustCompile(`(?s)"([^"]+)": \[(.*?)\],`).FindAllStringSubmatch(string(text), -1) {
		of := rule{target: found[1]}
		for _, allowed := range quoted.FindAllStringSubmatch(found[2], -1) {
			of.allowed = append(of.allowed, allowed[1])
		}
		all = append(all, of)
	}
	if len(all) < 20 {
		t.Fatalf("only %d rules: are they written otherwise now?", len(all))
	}
	return all
}

// The table of folders and the rules that the build holds to say the same: each package with a rule
// has a row, and a row's last cell names nothing that the rules forbid.
func TestTheTableOfFoldersIsTheBuilds(t *testing.T) {
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	byFolder := map[string][]rule{}
	called := map[string]string{"go/protos": "proto/epperf/v1"} // what cells of a language call folders
	for _, rule := range rules(t) {
		folder := rule.folder()
		byFolder[folder] = append(byFolder[folder], rule)
		called[language(folder)+folder[strings.LastIndex(folder, "/")+1:]] = folder
	}
	rows := map[string]bool{}
	row := regexp.MustCompile("(?m)^\\| (`[^|]*) \\|.*\\| ([^|]*) ?\\|$")
	for _, found := range row.FindAllStringSubmatch(string(text), -1) {
		for _, folder := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(found[1], -1) {
			rows[folder[1]] = true
			for _, word := range regexp.MustCompile("[a-z_]+").FindAllString(regexp.MustCompile("`[^`]*`").ReplaceAllString(found[2], ""), -1) {
				other := called[language(folder[1])+word]
				if other == "" || other == folder[1] || byFolder[folder[1]] == nil {
					continue
				}
				allowed := false
				for _, rule := range byFolder[folder[1]] {
					allowed = allowed || rule.allows(other)
				}
				if !allowed {
					t.Errorf("docs/architecture.md lets %s know %s; tools/imports does not", folder[1], other)
				}
			}
		}
	}
	for folder := range byFolder {
		if !rows[folder] && !rows[folder[:strings.LastIndex(folder, "/")]] {
			t.Errorf("docs/architecture.md has no row for %s", folder)
		}
	}
}
