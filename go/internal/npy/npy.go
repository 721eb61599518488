// Package npy reads and writes arrays in NumPy's file format, as numpy.save makes them: a magic,
// a header in the form of a Python dictionary, and the numbers.
//
// Only arrays of plain numbers in row-major order and little-endian bytes are known here. Memory
// is bounded by what a file has, whatever its header says.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// A Type is a number's type as a header names it.
type Type string

// The types that are known.
const (
	Uint8   Type = "|u1"
	Uint16  Type = "<u2"
	Int32   Type = "<i4"
	Int64   Type = "<i8"
	Float32 Type = "<f4"
)

var sizes = map[Type]int{Uint8: 1, Uint16: 2, Int32: 4, Int64: 8, Float32: 4}

// Bytes returns the size of one number; 0 for a type that is not known.
func (t Type) Bytes() int { return sizes[t] }

// An Array is what a file holds.
type Array struct {
	Type  Type
	Shape []int
	// Data holds the numbers, row after row, little-endian.
	Data []byte
}

const (
	magic = "\x93NUMPY"
	// alignment is where numbers begin, for those who map files.
	alignment = 64
	// maxDimensions is NumPy's own limit.
	maxDimensions = 64
)

// Decode takes a whole file apart. The array's Data is part of content.
func Decode(content []byte) (*Array, error) {
	header, data, err := split(content)
	if err != nil {
		return nil, err
	}
	array, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	need, ok := byteCount(array.Type, array.Shape)
	if !ok || need != len(data) {
		return nil, fmt.Errorf("%d bytes of numbers for the shape %s of %s", len(data), tuple(array.Shape), array.Type)
	}
	array.Data = data
	return array, nil
}

// split returns the header's text and what follows it.
func split(content []byte) (header string, data []byte, err error) {
	if len(content) < len(magic)+4 || string(content[:len(magic)]) != magic {
		return "", nil, errors.New("no .npy file: it does not begin as one")
	}
	major, rest := content[len(magic)], content[len(magic)+2:]
	var length, lengthBytes uint64
	switch major {
	case 1:
		length, lengthBytes = uint64(binary.LittleEndian.Uint16(rest)), 2
	case 2, 3:
		if len(rest) < 4 {
			return "", nil, errors.New("the file ends in its header")
		}
		length, lengthBytes = uint64(binary.LittleEndian.Uint32(rest)), 4
	default:
		return "", nil, fmt.Errorf("version %d of the format is not known here", major)
	}
	rest = rest[lengthBytes:]
	if length > uint64(len(rest)) {
		return "", nil, errors.New("the file ends in its header")
	}
	return string(rest[:length]), rest[length:], nil
}

// byteCount reports false where the product is more than an int.
func byteCount(of Type, shape []int) (int, bool) {
	count := of.Bytes()
	for _, size := range shape {
		if size != 0 && count > math.MaxInt/size {
			return 0, false
		}
		count *= size
	}
	return count, true
}

// WriteHeader writes what precedes the numbers of an array; the caller writes these after it.
func WriteHeader(w io.Writer, of Type, shape ...int) error {
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': %s, }", of, tuple(shape))
	before := len(magic) + 4
	padding := alignment - (before+len(text)+1)%alignment
	text += strings.Repeat(" ", padding%alignment) + "\n"
	header := append([]byte(magic), 1, 0)
	header = binary.LittleEndian.AppendUint16(header, uint16(len(text)))
	_, err := w.Write(append(header, text...))
	return err
}

// tuple writes a shape as Python does: (3,) and (3, 4).
func tuple(shape []int) string {
	var parts []string
	for _, size := range shape {
		parts = append(parts, fmt.Sprint(size))
	}
	if len(parts) == 1 {
		return "(" + parts[0] + ",)"
	}
	return "(" + strings.Join(parts, ", ") + ")"
}
