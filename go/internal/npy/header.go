package npy

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// parseHeader reads a dictionary of exactly the three keys that the format has, in any order.
func parseHeader(text string) (*Array, error) {
	p := parser{rest: text}
	array := &Array{}
	seen := map[string]bool{}
	p.token("{")
	for !p.try("}") && p.err == nil {
		key := p.text()
		p.token(":")
		if seen[key] {
			p.fail("names " + strconv.Quote(key) + " twice")
		}
		seen[key] = true
		switch key {
		case "descr":
			array.Type = Type(p.text())
		case "fortran_order":
			if p.word() == "True" {
				p.fail("says column-major order; save numpy.ascontiguousarray of it")
			}
		case "shape":
			array.Shape = p.tuple()
		default:
			p.fail("has a key " + strconv.Quote(key))
		}
		if !p.try(",") {
			p.token("}")
			break
		}
	}
	if p.err == nil && strings.TrimSpace(p.rest) != "" {
		p.fail("goes on after its dictionary")
	}
	if p.err == nil && len(seen) != 3 {
		p.fail("lacks one of descr, fortran_order and shape")
	}
	if p.err != nil {
		return nil, p.err
	}
	if array.Type.Bytes() == 0 {
		return nil, fmt.Errorf("numbers of type %q are not known here; save them as int32 or int64", array.Type)
	}
	return array, nil
}

// A parser takes Python literals off the front of rest. After the first error its calls do
// nothing.
type parser struct {
	rest string
	err  error
}

func (p *parser) fail(problem string) {
	if p.err == nil {
		p.err = errors.New("the header " + problem)
	}
	p.rest = ""
}

// try takes a token if it comes next.
func (p *parser) try(token string) bool {
	rest, found := strings.CutPrefix(strings.TrimLeft(p.rest, " \n"), token)
	if found {
		p.rest = rest
	}
	return found
}

func (p *parser) token(token string) {
	if !p.try(token) {
		p.fail("lacks a " + strconv.Quote(token))
	}
}

// text takes a string in quotes of either kind; what is escaped is no name of ours.
func (p *parser) text() string {
	for _, quote := range []string{"'", `"`} {
		if !p.try(quote) {
			continue
		}
		text, rest, found := strings.Cut(p.rest, quote)
		if !found {
			p.fail("has a string without an end")
		}
		p.rest = rest
		return text
	}
	p.fail("lacks a string")
	return ""
}

// word takes True or False.
func (p *parser) word() string {
	for _, word := range []string{"True", "False"} {
		if p.try(word) {
			return word
		}
	}
	p.fail("lacks True or False")
	return ""
}

// tuple takes a tuple of sizes.
func (p *parser) tuple() []int {
	shape := []int{}
	p.token("(")
	for !p.try(")") && p.err == nil {
		p.rest = strings.TrimLeft(p.rest, " ")
		digits := p.rest[:len(p.rest)-len(strings.TrimLeft(p.rest, "0123456789"))]
		size, err := strconv.Atoi(digits)
		if err != nil || len(shape) == maxDimensions {
			p.fail("has no shape that an array can have")
			break
		}
		p.rest = p.rest[len(digits):]
		shape = append(shape, size)
		if !p.try(",") {
			p.token(")")
			break
		}
	}
	return shape
}
