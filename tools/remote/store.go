package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A store has blobs as files named by their SHA-256, and results of actions in memory.
type store struct {
	repb.UnimplementedActionCacheServer
	repb.UnimplementedContentAddressableStorageServer
	bspb.UnimplementedByteStreamServer
	folder string

	mu      sync.Mutex
	results map[string]*repb.ActionResult // by the action's hash
}

func newStore(folder string) (*store, error) {
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) > 0 {
		return nil, fmt.Errorf("--folder=%q: not an empty folder: %d entries, %w", folder, len(entries), err)
	}
	s := &store{folder: folder, results: map[string]*repb.ActionResult{}}
	return s, s.put(strings.NewReader(""), hashOf(nil))
}

func hashOf(data []byte) string { return fmt.Sprintf("%x", sha256.Sum256(data)) }

func (s *store) path(hash string) string { return filepath.Join(s.folder, filepath.Base(hash)) }

// put keeps what it reads if it has the hash. Blobs may be run: inputs are links to them.
func (s *store) put(from io.Reader, want string) error {
	file, err := os.CreateTemp(s.folder, "new-")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // nothing, once it has its name
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(file, hash), from)
	err = errors.Join(err, file.Chmod(0o555), file.Close())
	if err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != want {
		return status.Errorf(codes.InvalidArgument, "a blob has the hash %s, not %s", got, want)
	}
	return os.Rename(file.Name(), s.path(want))
}

func (s *store) putBytes(data []byte) (*repb.Digest, error) {
	digest := &repb.Digest{Hash: hashOf(data), SizeBytes: int64(len(data))}
	return digest, s.put(strings.NewReader(string(data)), digest.Hash)
}

func (s *store) get(digest *repb.Digest) ([]byte, error) {
	data, err := os.ReadFile(s.path(digest.GetHash()))
	if err != nil {
		return nil, status.Errorf(codes.NotFound, "blob %s: %v", digest.GetHash(), err)
	}
	return data, nil
}

func (s *store) message(digest *repb.Digest, into proto.Message) error {
	data, err := s.get(digest)
	if err != nil {
		return err
	}
	return proto.Unmarshal(data, into)
}

func (s *store) FindMissingBlobs(_ context.Context, asked *repb.FindMissingBlobsRequest) (*repb.FindMissingBlobsResponse, error) {
	answer := &repb.FindMissingBlobsResponse{}
	for _, digest := range asked.BlobDigests {
		if _, err := os.Stat(s.path(digest.Hash)); err != nil {
			answer.MissingBlobDigests = append(answer.MissingBlobDigests, digest)
		}
	}
	return answer, nil
}

func (s *store) BatchUpdateBlobs(_ context.Context, asked *repb.BatchUpdateBlobsRequest) (*repb.BatchUpdateBlobsResponse, error) {
	answer := &repb.BatchUpdateBlobsResponse{}
	for _, blob := range asked.Requests {
		err := s.put(strings.NewReader(string(blob.Data)), blob.Digest.Hash)
		answer.Responses = append(answer.Responses, &repb.BatchUpdateBlobsResponse_Response{
			Digest: blob.Digest, Status: status.Convert(err).Proto(),
		})
	}
	return answer, nil
}

func (s *store) BatchReadBlobs(_ context.Context, asked *repb.BatchReadBlobsRequest) (*repb.BatchReadBlobsResponse, error) {
	answer := &repb.BatchReadBlobsResponse{}
	for _, digest := range asked.Digests {
		data, err := s.get(digest)
		answer.Responses = append(answer.Responses, &repb.BatchReadBlobsResponse_Response{
			Digest: digest, Data: data, Status: status.Convert(err).Proto(),
		})
	}
	return answer, nil
}

// hashIn returns the hash in blobs/HASH/SIZE, with whatever stands before and after it.
func hashIn(name string) (string, error) {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		if part == "blobs" && i+2 < len(parts) {
			return parts[i+1], nil
		}
	}
	return "", status.Errorf(codes.InvalidArgument, "resource %q is not blobs/HASH/SIZE", name)
}

func (s *store) Read(asked *bspb.ReadRequest, stream bspb.ByteStream_ReadServer) error {
	hash, err := hashIn(asked.ResourceName)
	if err != nil {
		return err
	}
	data, err := s.get(&repb.Digest{Hash: hash})
	if err != nil {
		return err
	}
	data = data[min(int64(len(data)), max(asked.ReadOffset, 0)):]
	for first := true; first || len(data) > 0; first = false {
		part := min(len(data), 1<<20)
		if err := stream.Send(&bspb.ReadResponse{Data: data[:part]}); err != nil {
			return err
		}
		data = data[part:]
	}
	return nil
}

func (s *store) Write(stream bspb.ByteStream_WriteServer) error {
	request, err := stream.Recv()
	if err != nil {
		return err
	}
	hash, err := hashIn(request.ResourceName)
	if err != nil {
		return err
	}
	parts := &parts{stream: stream, request: request}
	if err := s.put(parts, hash); err != nil {
		return err
	}
	return stream.SendAndClose(&bspb.WriteResponse{CommittedSize: parts.bytes})
}

// parts reads what a stream brings.
type parts struct {
	stream  bspb.ByteStream_WriteServer
	request *bspb.WriteRequest
	bytes   int64
}

func (p *parts) Read(into []byte) (int, error) {
	for len(p.request.Data) == 0 {
		if p.request.FinishWrite {
			return 0, io.EOF
		}
		next, err := p.stream.Recv()
		if err != nil {
			return 0, err
		}
		p.request = next
	}
	count := copy(into, p.request.Data)
	p.request.Data = p.request.Data[count:]
	p.bytes += int64(count)
	return count, nil
}

func (s *store) GetActionResult(_ context.Context, asked *repb.GetActionResultRequest) (*repb.ActionResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if result := s.results[asked.ActionDigest.Hash]; result != nil {
		return result, nil
	}
	return nil, status.Error(codes.NotFound, "no result of this action yet")
}

func (s *store) UpdateActionResult(_ context.Context, asked *repb.UpdateActionResultRequest) (*repb.ActionResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.results[asked.ActionDigest.Hash] = asked.ActionResult
	return asked.ActionResult, nil
}
