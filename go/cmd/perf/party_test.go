package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/epperf/epperf/go/internal/command"
)

func TestEndpoints(t *testing.T) {
	for list, test := range map[string]struct {
		want   []string
		secure bool
		wrong  string
	}{
		"":                           {},
		"10.0.0.1:2379":              {want: []string{"10.0.0.1:2379"}},
		"http://a:1, b:2":            {want: []string{"a:1", "b:2"}},
		"https://a:1/,https://b:2":   {want: []string{"a:1", "b:2"}, secure: true},
		"[::1]:2379":                 {want: []string{"[::1]:2379"}},
		"a":                          {wrong: "not host:port"},
		"a:1,":                       {wrong: "not host:port"},
		"a:1/keys":                   {wrong: "not host:port"},
		"unix://socket:0":            {wrong: "not http or https"},
		"http://a:1,https://b:2":     {wrong: "in one list"},
		"http://user:secret@a:1,b:2": {wrong: "not host:port"},
	} {
		got, secure, err := parseEndpoints(list)
		if test.wrong != "" {
			var usage command.UsageError
			if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.wrong) {
				t.Errorf("%q: %v, want a usage error with %q", list, err, test.wrong)
			}
			continue
		}
		if err != nil || !slices.Equal(got, test.want) || secure != test.secure {
			t.Errorf("%q: %q, %t, %v", list, got, secure, err)
		}
	}
}
