package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	lropb "cloud.google.com/go/longrunning/autogen/longrunningpb"
	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	"github.com/bazelbuild/remote-apis/build/bazel/semver"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// No action of a build takes as long.
const actionTimeout = 10 * time.Minute

// What the platform in BUILD.bazel asks of a worker.
var properties = map[string]string{"OSFamily": "linux", "Arch": "amd64"}

// A worker runs actions that are not in the store.
type worker struct {
	repb.UnimplementedCapabilitiesServer
	repb.UnimplementedExecutionServer
	store *store
	slots chan struct{}
	ran   atomic.Int64
}

func (w *worker) GetCapabilities(context.Context, *repb.GetCapabilitiesRequest) (*repb.ServerCapabilities, error) {
	sha256 := []repb.DigestFunction_Value{repb.DigestFunction_SHA256}
	return &repb.ServerCapabilities{
		CacheCapabilities: &repb.CacheCapabilities{
			DigestFunctions: sha256, MaxBatchTotalSizeBytes: 3 << 20,
			ActionCacheUpdateCapabilities: &repb.ActionCacheUpdateCapabilities{UpdateEnabled: true},
		},
		ExecutionCapabilities: &repb.ExecutionCapabilities{
			DigestFunction: sha256[0], DigestFunctions: sha256, ExecEnabled: true,
		},
		LowApiVersion: &semver.SemVer{Major: 2}, HighApiVersion: &semver.SemVer{Major: 2, Minor: 3},
	}, nil
}

func (w *worker) Execute(asked *repb.ExecuteRequest, stream repb.Execution_ExecuteServer) error {
	if !asked.SkipCacheLookup {
		if result, err := w.store.GetActionResult(stream.Context(), &repb.GetActionResultRequest{ActionDigest: asked.ActionDigest}); err == nil {
			return answer(stream, asked, &repb.ExecuteResponse{Result: result, CachedResult: true})
		}
	}
	select {
	case w.slots <- struct{}{}:
	case <-stream.Context().Done():
		return status.FromContextError(stream.Context().Err()).Err()
	}
	defer func() { <-w.slots }()
	w.ran.Add(1)
	result, keep, err := w.run(stream.Context(), asked.ActionDigest)
	if err == nil && keep && result.ExitCode == 0 {
		_, err = w.store.UpdateActionResult(stream.Context(), &repb.UpdateActionResultRequest{ActionDigest: asked.ActionDigest, ActionResult: result})
	}
	return answer(stream, asked, &repb.ExecuteResponse{Result: result, Status: status.Convert(err).Proto()})
}

func answer(stream repb.Execution_ExecuteServer, asked *repb.ExecuteRequest, response *repb.ExecuteResponse) error {
	metadata, err := anypb.New(&repb.ExecuteOperationMetadata{Stage: repb.ExecutionStage_COMPLETED, ActionDigest: asked.ActionDigest})
	if err != nil {
		return err
	}
	result, err := anypb.New(response)
	if err != nil {
		return err
	}
	return stream.Send(&lropb.Operation{
		Name: asked.ActionDigest.Hash, Metadata: metadata, Done: true, Result: &lropb.Operation_Response{Response: result},
	})
}

// run returns what an action did, and whether that may be kept.
func (w *worker) run(ctx context.Context, digest *repb.Digest) (_ *repb.ActionResult, keep bool, err error) {
	var action repb.Action
	var command repb.Command
	if err := errors.Join(w.store.message(digest, &action), w.store.message(action.CommandDigest, &command)); err != nil {
		return nil, false, err
	}
	if err := suits(action.Platform); err != nil {
		return nil, false, err
	}
	root, err := os.MkdirTemp(w.store.folder, "action-")
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(root)) }()
	if err := w.store.lay(action.InputRootDigest, root+sandboxInputs); err != nil {
		return nil, false, err
	}
	folder := filepath.Join(root+sandboxInputs, command.WorkingDirectory)
	outputs := command.OutputPaths
	if len(outputs) == 0 {
		outputs = slices.Concat(command.OutputFiles, command.OutputDirectories)
	}
	slices.Sort(outputs)
	for _, output := range outputs {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, output)), 0o755); err != nil {
			return nil, false, err
		}
	}
	process := inSandbox(root, command.WorkingDirectory, command.Arguments)
	process.Env = []string{}
	for _, variable := range command.EnvironmentVariables {
		process.Env = append(process.Env, variable.Name+"="+variable.Value)
	}
	result := &repb.ActionResult{}
	if err := w.wait(ctx, process, result); err != nil {
		return nil, false, err
	}
	for _, output := range outputs {
		if err := w.store.collect(folder, output, result); err != nil {
			return nil, false, fmt.Errorf("output %s: %w", output, err)
		}
	}
	return result, !action.DoNotCache, nil
}

// wait runs a process to its end, and its children with it: it is the first of its namespace.
func (w *worker) wait(ctx context.Context, process *exec.Cmd, result *repb.ActionResult) error {
	ctx, cancel := context.WithTimeout(ctx, actionTimeout)
	defer cancel()
	var out, errs bytes.Buffer
	process.Stdout, process.Stderr = &out, &errs
	if err := process.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = process.Process.Kill() })
	err := process.Wait()
	stop()
	if ctx.Err() != nil {
		return status.FromContextError(ctx.Err()).Err()
	}
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return err
	}
	result.ExitCode = int32(process.ProcessState.ExitCode())
	result.StdoutDigest, err = w.store.putBytes(out.Bytes())
	if err != nil {
		return err
	}
	result.StderrDigest, err = w.store.putBytes(errs.Bytes())
	return err
}

// suits fails where an action asks for another worker, or for any.
func suits(platform *repb.Platform) error {
	asked := map[string]string{}
	for _, property := range platform.GetProperties() {
		asked[property.Name] = property.Value
	}
	for name, value := range properties {
		if asked[name] != value {
			return status.Errorf(codes.FailedPrecondition, "an action asks for a worker of %v; this is one of %v", asked, properties)
		}
	}
	return nil
}
