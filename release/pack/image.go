package main

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	specs "github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Where an image has what, and who runs it: nobody of the machine that it runs on.
const (
	imageRoot   = "opt/epperf"
	imageHome   = "home/epperf"
	imageUserID = 65532
)

// writeImage writes an OCI image layout, as one tar: the archive's files on the C library that they were
// linked with, and no other program.
//
// Note: rules_oci would write it too, by crane, regctl and jq, which it downloads as programs; a build here
// downloads modules alone. The standard's own types come as one.
func (s spec) writeImage(files []file, from origin) error {
	if err := s.checkLibraries(files); err != nil {
		return err
	}
	blobs := layout{}
	base, baseID, err := blobs.addLayer(s.baseEntries(), from)
	if err != nil {
		return err
	}
	ours, oursID, err := blobs.addLayer(below(imageRoot, files), from)
	if err != nil {
		return err
	}
	labels := map[string]string{
		v1.AnnotationTitle: s.Name, v1.AnnotationVersion: s.Version, v1.AnnotationLicenses: "Apache-2.0",
		v1.AnnotationCreated: from.time.Format(time.RFC3339),
	}
	if from.commit != "" {
		labels[v1.AnnotationRevision] = from.commit
	}
	config, err := blobs.addJSON(v1.MediaTypeImageConfig, v1.Image{
		Created:  &from.time,
		Platform: v1.Platform{Architecture: "amd64", OS: "linux"},
		Config: v1.ImageConfig{
			User:       fmt.Sprintf("%d:%[1]d", imageUserID),
			Env:        []string{"PATH=/" + imageRoot + "/bin", "HOME=/" + imageHome},
			Entrypoint: []string{"/" + imageRoot + "/bin/perf"},
			WorkingDir: "/" + imageHome,
			Labels:     labels,
		},
		RootFS: v1.RootFS{Type: "layers", DiffIDs: []digest.Digest{baseID, oursID}},
	})
	if err != nil {
		return err
	}
	manifest, err := blobs.addJSON(v1.MediaTypeImageManifest, v1.Manifest{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest,
		Config: config, Layers: []v1.Descriptor{base, ours}, Annotations: labels,
	})
	if err != nil {
		return err
	}
	manifest.Annotations = map[string]string{v1.AnnotationRefName: s.Version}
	entries, err := blobs.entries(manifest)
	if err != nil {
		return err
	}
	return writeFile(s.Image, func(out io.Writer) error { return writeTar(out, entries, from) })
}

// baseEntries returns what programs need that were linked with a C library, in the one folder where
// loaders of all distributions look, and drivers are put by container runtimes.
func (s spec) baseEntries() []entry {
	all := []entry{
		{path: "etc/passwd", mode: 0o644, data: fmt.Sprintf("root:x:0:0::/:\nepperf:x:%d:%[1]d::/%s:\n", imageUserID, imageHome)},
		{path: "etc/group", mode: 0o644, data: fmt.Sprintf("root:x:0:\nepperf:x:%d:\n", imageUserID)},
		{path: "etc/nsswitch.conf", mode: 0o644, data: "hosts: files dns\n"},
		{path: "tmp", folder: true, mode: 0o1777},
		{path: imageHome, folder: true, mode: 0o755, owner: imageUserID},
		{path: "lib", link: "usr/lib"},
		{path: "lib64", link: "usr/lib"},
		{path: "usr/lib64", link: "lib"},
	}
	for _, f := range s.Libraries {
		all = append(all, entry{path: "usr/lib/" + f.Path, source: f.Source, mode: 0o755})
	}
	for _, f := range s.Copyrights {
		all = append(all, entry{path: "usr/share/doc/" + f.Path, source: f.Source, mode: 0o644})
	}
	return all
}

// checkLibraries fails if a program or a library needs one that the image lacks.
func (s spec) checkLibraries(files []file) error {
	var has []string
	for _, f := range s.Libraries {
		has = append(has, f.Path)
	}
	for _, f := range slices.Concat(files, s.Libraries) {
		program, err := elf.Open(f.Source)
		if err != nil {
			continue // no program
		}
		needed, err := program.ImportedLibraries()
		_ = program.Close() // only read
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
		for _, name := range needed {
			if !slices.Contains(has, name) {
				return fmt.Errorf("%s needs %s, which the image lacks: name it in c_libraries of release/BUILD.bazel", f.Path, name)
			}
		}
	}
	return nil
}

// A layout is the blobs of an image.
type layout map[digest.Digest][]byte

func (l layout) add(mediaType string, data []byte) v1.Descriptor {
	name := digest.FromBytes(data)
	l[name] = data
	return v1.Descriptor{MediaType: mediaType, Digest: name, Size: int64(len(data))}
}

func (l layout) addJSON(mediaType string, document any) (v1.Descriptor, error) {
	text, err := json.Marshal(document)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("%s: %w", mediaType, err)
	}
	return l.add(mediaType, text), nil
}

// addLayer returns a layer and the digest of its bytes before they were compressed.
func (l layout) addLayer(entries []entry, from origin) (v1.Descriptor, digest.Digest, error) {
	var packed bytes.Buffer
	plain := digest.SHA256.Digester()
	compressed, err := gzip.NewWriterLevel(&packed, gzip.DefaultCompression)
	if err != nil {
		return v1.Descriptor{}, "", err
	}
	if err := writeTar(io.MultiWriter(compressed, plain.Hash()), entries, from); err != nil {
		return v1.Descriptor{}, "", err
	}
	if err := compressed.Close(); err != nil {
		return v1.Descriptor{}, "", err
	}
	return l.add(v1.MediaTypeImageLayerGzip, packed.Bytes()), plain.Digest(), nil
}

// entries returns the files of the layout, of one image.
func (l layout) entries(manifest v1.Descriptor) ([]entry, error) {
	version, err := json.Marshal(v1.ImageLayout{Version: v1.ImageLayoutVersion})
	if err != nil {
		return nil, err
	}
	index, err := json.Marshal(v1.Index{
		Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageIndex, Manifests: []v1.Descriptor{manifest},
	})
	if err != nil {
		return nil, err
	}
	all := []entry{
		{path: v1.ImageLayoutFile, data: string(version), mode: 0o644},
		{path: v1.ImageIndexFile, data: string(index), mode: 0o644},
	}
	for name, data := range l {
		all = append(all, entry{path: v1.ImageBlobsDir + "/" + name.Algorithm().String() + "/" + name.Encoded(), data: string(data), mode: 0o644})
	}
	return all, nil
}
