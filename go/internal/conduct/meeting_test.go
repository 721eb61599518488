package conduct

import (
	"strings"
	"testing"

	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

func TestASweepGoesOnWhereItWasBegun(t *testing.T) {
	hosts := func(names ...string) (hosts []*epperfv1.Host) {
		for _, name := range names {
			hosts = append(hosts, &epperfv1.Host{Name: name})
		}
		return hosts
	}
	for want, test := range map[string]struct{ then, now []*epperfv1.Host }{
		"":                                   {hosts("a", "b"), hosts("a", "b")},
		"node 1 was on b, and is on c now":   {hosts("a", "b"), hosts("a", "c")},
		"node 0 was on a, and is on b now":   {hosts("a", "b"), hosts("b", "a")},
		"node 1 was nobody knows where, and": {hosts("a"), hosts("a", "b")},
	} {
		if err := sameHosts("r.epperf", test.then, test.now); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("from %v to %v: %v", test.then, test.now, err)
		}
	}
}
