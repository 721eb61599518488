// Package embedded runs an etcd server inside this process, for a run that has no etcd of its
// own to meet in.
//
// It listens on loopback alone, keeps its data in a temporary folder for as long as it runs,
// and never syncs it to disk: nothing in it outlives the run.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
)

// The server's election of itself is most of its start-up. etcd's defaults (100 ms and 1 s) serve
// members far apart; here there is one. Note: a shorter heartbeat starts no sooner by much, and
// wakes up more often during measurements.
const (
	heartbeat = 20 * time.Millisecond
	election  = 5 * heartbeat
)

// A Server is a running etcd server.
type Server struct {
	etcd   *embed.Etcd
	folder string
}

// Start starts a server and waits until it answers or ctx ends.
func Start(ctx context.Context) (*Server, error) {
	folder, err := os.MkdirTemp("", "epperf-etcd-")
	if err != nil {
		return nil, fmt.Errorf("start etcd: make its folder: %w", err)
	}
	s := &Server{folder: folder}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start etcd: %w", err), s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) (err error) {
	s.etcd, err = embed.StartEtcd(config(s.folder))
	if err != nil {
		return err
	}
	select {
	case <-s.etcd.Server.ReadyNotify():
		return nil
	case err := <-s.etcd.Err():
		return err
	case <-ctx.Done():
		return fmt.Errorf("not ready: %w", context.Cause(ctx))
	}
}

func config(folder string) *embed.Config {
	// The kernel picks the ports, so that any number of servers fit on one host.
	loopback := []url.URL{{Scheme: "http", Host: "127.0.0.1:0"}}
	c := embed.NewConfig()
	c.Dir = folder
	c.ListenClientUrls, c.AdvertiseClientUrls = loopback, loopback
	c.ListenPeerUrls, c.AdvertisePeerUrls = loopback, loopback
	c.InitialCluster = c.InitialClusterFromName(c.Name)
	c.TickMs = uint(heartbeat.Milliseconds())
	c.ElectionMs = uint(election.Milliseconds())
	c.UnsafeNoFsync = true
	// What goes wrong comes back as an error; the server's own log is not for our users.
	c.LogOutputs = []string{os.DevNull}
	c.LogLevel = "fatal"
	return c
}

// Endpoint is where clients of this host reach the server.
func (s *Server) Endpoint() string { return s.etcd.Clients[0].Addr().String() }

// Close stops the server and removes its data.
func (s *Server) Close() error {
	if s.etcd != nil {
		s.etcd.Close()
	}
	if err := os.RemoveAll(s.folder); err != nil {
		return fmt.Errorf("remove etcd's folder: %w", err)
	}
	return nil
}
