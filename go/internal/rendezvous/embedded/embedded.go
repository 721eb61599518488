// Package embedded runs an etcd server inside this process, for a run that has no etcd of its
// own to meet in.
//
// It keeps its data in a temporary folder for as long as it runs, and never syncs it to disk:
// nothing in it outlives its process. Beyond loopback it listens only to clients that show a
// certificate: whoever reaches an etcd server may read and delete all that is in it.
//
// What etcd cannot go on without, it ends its process for, from any goroutine: who runs a server gives
// it a process of its own (conduct.StartServer), and takes the reason from Config.Died.
package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"google.golang.org/grpc"
)

// The server's election of itself is most of its start-up. etcd's defaults (100 ms and 1 s) serve
// members far apart; here there is one. Note: a shorter heartbeat starts no sooner by much, and
// wakes up more often during measurements.
const (
	heartbeat = 20 * time.Millisecond
	election  = 5 * heartbeat
)

// windowBytes is how much may be on its way in a connection: some chunks of a part.
const windowBytes = 2 << 20

// segmentBytes is how much of its log a server lays out ahead, twice: a file is what several runs of one
// host write, and a part's chunk still fits. etcd's default is 64 MB.
const segmentBytes = 1 << 20

// It is a variable of the library's, for all servers of a process.
func init() { wal.SegmentSizeBytes = segmentBytes }

// A Config says where a server listens and keeps its data. The zero Config is a server for this
// host's processes.
type Config struct {
	// Folder is where the server makes its own folder; "" for the system's temporary one.
	Folder string
	// Listen is host:port for clients; "" for a free port of loopback.
	Listen string
	// CAFile, CertFile and KeyFile are the server's TLS files; with them it wants client
	// certificates of the same authority. Without them it listens on loopback alone.
	CAFile, CertFile, KeyFile string
	// Died takes the reason for which etcd would end this process, and ends it: it must not return.
	Died func(reason error) `json:"-"`
}

// A Need is what a server's folder has to have free.
type Need struct{ Bytes, Files uint64 }

// Need returns what a server of a config needs, which Start does not look at.
func (c Config) Need() Need {
	if c.shared() {
		return Need{Bytes: 256 << 20, Files: 64} // some runs' parts, of 64 MiB each, in the log and in the tree
	}
	return Need{Bytes: 8 << 20, Files: 32}
}

// shared reports whether runs of others come: it has an address that they can know.
func (c Config) shared() bool { return c.Listen != "" }

// quotaBytes is how large the tree may grow. As much address space is taken, and a tenth more.
func (c Config) quotaBytes() int64 {
	if c.shared() {
		return 2<<30 - 1 // at etcd's own default it takes 10 GiB of address space
	}
	return 256 << 20
}

// anyPort is of loopback; the kernel picks it, so that any number of servers fit on one host.
const anyPort = "127.0.0.1:0"

// Check returns an error for what Start would refuse to do, before anything is done.
func (c Config) Check() error {
	given := 0
	for _, file := range []string{c.CAFile, c.CertFile, c.KeyFile} {
		if file != "" {
			given++
		}
	}
	if given == 1 || given == 2 {
		return errors.New("TLS needs three files: of the authority, the certificate and its key")
	}
	if c.Listen == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("listen on %q: %w; try 127.0.0.1:2379", c.Listen, err)
	}
	if ip := net.ParseIP(host); given == 0 && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("listen on %q: beyond loopback only with TLS client authentication, "+
			"for whoever reaches the server may delete all that is in it", c.Listen)
	}
	return nil
}

// tls reports whether the server speaks TLS.
func (c Config) tls() bool { return c.CAFile != "" }

// A Server is a running etcd server.
type Server struct {
	etcd   *embed.Etcd
	folder string
}

// Start starts a server and waits until it answers or ctx ends.
func Start(ctx context.Context, config Config) (*Server, error) {
	if err := config.Check(); err != nil {
		return nil, fmt.Errorf("start etcd: %w", err)
	}
	folder, err := os.MkdirTemp(config.Folder, "epperf-etcd-")
	if err != nil {
		return nil, fmt.Errorf("start etcd: make its folder: %w", err)
	}
	s := &Server{folder: folder}
	if err := s.start(ctx, config); err != nil {
		return nil, errors.Join(fmt.Errorf("start etcd: %w", err), s.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context, config Config) (err error) {
	s.etcd, err = embed.StartEtcd(config.etcd(s.folder))
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

func (c Config) etcd(folder string) *embed.Config {
	peers := []url.URL{{Scheme: "http", Host: anyPort}} // it has none
	clients := []url.URL{{Scheme: "http", Host: cmp.Or(c.Listen, anyPort)}}
	e := embed.NewConfig()
	if c.tls() {
		clients[0].Scheme = "https"
		e.ClientTLSInfo = transport.TLSInfo{
			TrustedCAFile: c.CAFile, CertFile: c.CertFile, KeyFile: c.KeyFile, ClientCertAuth: true,
		}
	}
	e.Dir = folder
	e.ListenClientUrls, e.AdvertiseClientUrls = clients, clients
	e.ListenPeerUrls, e.AdvertisePeerUrls = peers, peers
	e.InitialCluster = e.InitialClusterFromName(e.Name)
	e.TickMs = uint(heartbeat.Milliseconds())
	e.ElectionMs = uint(election.Milliseconds())
	e.UnsafeNoFsync = true
	// Windows of a fixed size, as clients have them: else gRPC sends a ping after each message to learn
	// a better one.
	e.GRPCAdditionalServerOptions = []grpc.ServerOption{
		grpc.StaticStreamWindowSize(windowBytes), grpc.StaticConnWindowSize(windowBytes),
	}
	// A shared server lives long; of what its runs wrote nobody reads old revisions.
	e.AutoCompactionMode, e.AutoCompactionRetention = embed.CompactorModePeriodic, "10m"
	e.QuotaBackendBytes = c.quotaBytes()
	// What goes wrong comes back as an error; the server's own log is not for our users.
	e.LogOutputs = []string{os.DevNull}
	e.LogLevel = "fatal"
	e.ZapLoggerBuilder = embed.NewZapLoggerBuilder(c.logger())
	return e
}

// Endpoint is where clients reach the server.
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

// Err says what ended the server before Close did.
func (s *Server) Err() <-chan error { return s.etcd.Err() }
