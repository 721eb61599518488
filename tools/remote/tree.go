package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// lay puts a tree of inputs into a folder: files are links to blobs.
func (s *store) lay(digest *repb.Digest, at string) error {
	var folder repb.Directory
	if err := errors.Join(s.message(digest, &folder), os.MkdirAll(at, 0o755)); err != nil {
		return err
	}
	for _, file := range folder.Files {
		if err := os.Link(s.path(file.Digest.Hash), filepath.Join(at, file.Name)); err != nil {
			return status.Errorf(codes.FailedPrecondition, "input %s: %v", file.Name, err)
		}
	}
	for _, link := range folder.Symlinks {
		if err := os.Symlink(link.Target, filepath.Join(at, link.Name)); err != nil {
			return err
		}
	}
	for _, child := range folder.Directories {
		if err := s.lay(child.Digest, filepath.Join(at, child.Name)); err != nil {
			return err
		}
	}
	return nil
}

// collect adds an output to the result; one that is not there is left out, as the protocol wants.
func (s *store) collect(folder, output string, result *repb.ActionResult) error {
	path := filepath.Join(folder, output)
	about, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if about.IsDir() {
		tree := &repb.Tree{}
		if tree.Root, err = s.gather(path, tree); err != nil {
			return err
		}
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(tree)
		if err != nil {
			return err
		}
		digest, err := s.putBytes(data)
		result.OutputDirectories = append(result.OutputDirectories, &repb.OutputDirectory{Path: output, TreeDigest: digest})
		return err
	}
	if about.Mode()&fs.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		result.OutputSymlinks = append(result.OutputSymlinks, &repb.OutputSymlink{Path: output, Target: target})
		return err
	}
	digest, err := s.putFile(path)
	result.OutputFiles = append(result.OutputFiles, &repb.OutputFile{Path: output, Digest: digest, IsExecutable: about.Mode()&0o111 != 0})
	return err
}

// gather returns a folder, and adds those below it to the tree.
func (s *store) gather(path string, tree *repb.Tree) (*repb.Directory, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	folder := &repb.Directory{}
	for _, entry := range entries {
		below := filepath.Join(path, entry.Name())
		about, err := entry.Info()
		if err != nil {
			return nil, err
		}
		switch {
		case entry.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(below)
			if err != nil {
				return nil, err
			}
			folder.Symlinks = append(folder.Symlinks, &repb.SymlinkNode{Name: entry.Name(), Target: target})
		case entry.IsDir():
			child, err := s.gather(below, tree)
			if err != nil {
				return nil, err
			}
			data, err := proto.MarshalOptions{Deterministic: true}.Marshal(child)
			if err != nil {
				return nil, err
			}
			digest, err := s.putBytes(data)
			if err != nil {
				return nil, err
			}
			tree.Children = append(tree.Children, child)
			folder.Directories = append(folder.Directories, &repb.DirectoryNode{Name: entry.Name(), Digest: digest})
		default:
			digest, err := s.putFile(below)
			if err != nil {
				return nil, err
			}
			folder.Files = append(folder.Files, &repb.FileNode{Name: entry.Name(), Digest: digest, IsExecutable: about.Mode()&0o111 != 0})
		}
	}
	return folder, nil
}

func (s *store) putFile(path string) (*repb.Digest, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return s.putBytes(data)
}
