package npy_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/epperf/epperf/go/internal/npy"
)

// file makes a file of version 1 from a header and numbers.
func file(header string, data ...byte) []byte {
	content := append([]byte("\x93NUMPY"), 1, 0)
	content = binary.LittleEndian.AppendUint16(content, uint16(len(header)))
	return append(append(content, header...), data...)
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	for name, want := range map[string]*npy.Array{
		"rows":     {Type: npy.Int32, Shape: []int{2, 1}, Data: []byte{1, 0, 0, 0, 2, 0, 0, 0}},
		"a vector": {Type: npy.Uint16, Shape: []int{1}, Data: []byte{1, 2}},
		"no rows":  {Type: npy.Float32, Shape: []int{0, 128}, Data: []byte{}},
		"a number": {Type: npy.Uint8, Shape: []int{}, Data: []byte{9}},
	} {
		t.Run(name, func(t *testing.T) {
			var content bytes.Buffer
			if err := npy.WriteHeader(&content, want.Type, want.Shape...); err != nil {
				t.Fatal(err)
			}
			if content.Len()%64 != 0 {
				t.Errorf("numbers begin at byte %d, not at a multiple of 64", content.Len())
			}
			content.Write(want.Data)
			got, err := npy.Decode(content.Bytes())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("array (-written +read):\n%s", diff)
			}
		})
	}
}

// The bytes that numpy 2.4.6 writes for numpy.save(f, numpy.array([[1, -1]], "<i4")).
func TestNumpysOwnBytes(t *testing.T) {
	content := file("{'descr': '<i4', 'fortran_order': False, 'shape': (1, 2), }"+strings.Repeat(" ", 58)+"\n",
		1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
	var ours bytes.Buffer
	if err := npy.WriteHeader(&ours, npy.Int32, 1, 2); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(content[:len(content)-8]), ours.String()); diff != "" {
		t.Errorf("header (-numpy +ours):\n%s", diff)
	}
	if _, err := npy.Decode(content); err != nil {
		t.Error(err)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	const good = "{'descr': '|u1', 'fortran_order': False, 'shape': (1,), }\n"
	if _, err := npy.Decode(file(good, 7)); err != nil {
		t.Fatal(err)
	}
	with := func(old, now string) []byte { return file(strings.Replace(good, old, now, 1), 7) }
	for name, test := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":             {nil, "does not begin as one"},
		"text":              {[]byte("0,1,2,3\n4,5,6,7\n"), "does not begin as one"},
		"another version":   {append([]byte("\x93NUMPY\x09"), file(good, 7)[7:]...), "version 9"},
		"cut header":        {file(good)[:30], "ends in its header"},
		"cut long header":   {[]byte("\x93NUMPY\x02\x00\x10\x00"), "ends in its header"},
		"huge header":       {[]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff{}"), "ends in its header"},
		"cut numbers":       {file(good), "0 bytes of numbers"},
		"more numbers":      {file(good, 7, 8), "2 bytes of numbers"},
		"column-major":      {with("False", "True"), "column-major"},
		"no order":          {with("False", "None"), "lacks True or False"},
		"big-endian":        {with("|u1", ">i4"), `type ">i4"`},
		"floats of 8 bytes": {with("|u1", "<f8"), `type "<f8"`},
		"objects":           {with("|u1", "|O"), `type "|O"`},
		"a structure":       {with("'|u1'", "[('a', '<i4')]"), "lacks a string"},
		"huge shape":        {with("(1,)", "(4294967296, 4294967296)"), "bytes of numbers"},
		"negative shape":    {with("(1,)", "(-1,)"), "no shape"},
		"endless number":    {with("(1,)", "(11111111111111111111,)"), "no shape"},
		"open shape":        {with("(1,)", "(1,"), "no shape"},
		"many dimensions":   {with("(1,)", "("+strings.Repeat("1,", 65)+")"), "no shape"},
		"no shape":          {with("'shape': (1,), ", ""), "lacks one of"},
		"two shapes":        {with("'shape': (1,), ", "'shape': (1,), 'shape': (1,)"), "twice"},
		"another key":       {with("descr", "colour"), `"colour"`},
		"no dictionary":     {with("{", "["), `lacks a "{"`},
		"open string":       {with("'|u1', 'fortran_order': False, 'shape': (1,), ", "'|u1"), "without an end"},
		"more after it":     {with("\n", "1"), "goes on"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := npy.Decode(test.content); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Decode: %v; want %q", err, test.want)
			}
		})
	}
}

// Whatever is in a file, it is an array whose numbers are all there, or an error; and an array is
// read alike once it is written again.
func FuzzDecode(f *testing.F) {
	f.Add(file("{'descr': '<i4', 'fortran_order': False, 'shape': (1, 2), }\n", 1, 0, 0, 0, 2, 0, 0, 0))
	f.Add(file(`{"shape": (), "fortran_order": False, "descr": "|u1"}`, 1))
	f.Add(file("{'descr': '<f4', 'fortran_order': True, 'shape': (3, 0)}"))
	f.Add([]byte("\x93NUMPY\x02\x00\x3a\x00\x00\x00{'descr': '<u2', 'fortran_order': False, 'shape': (0,), }  \n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		array, err := npy.Decode(content)
		if err != nil {
			return
		}
		count := array.Type.Bytes()
		for _, size := range array.Shape {
			count *= size
		}
		if count != len(array.Data) || count == 0 && array.Type.Bytes() == 0 {
			t.Fatalf("%d bytes for the shape %v of %s", len(array.Data), array.Shape, array.Type)
		}
		var again bytes.Buffer
		if err := npy.WriteHeader(&again, array.Type, array.Shape...); err != nil {
			t.Fatal(err)
		}
		again.Write(array.Data)
		second, err := npy.Decode(again.Bytes())
		if err != nil {
			t.Fatalf("what was written is not read: %v", err)
		}
		if diff := cmp.Diff(array, second); diff != "" {
			t.Errorf("array (-read +read again):\n%s", diff)
		}
	})
}
