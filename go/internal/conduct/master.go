package conduct

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/epperf/epperf/go/internal/certs"
	epperfv1 "github.com/epperf/epperf/proto/epperf/v1"
)

// A Master is where node 0 serves an etcd to the launchers of a run that have none to share.
type Master struct {
	Host, Port string // under which all reach it
	// Certificates are given where the user has made some, and all of them.
	Certificates *certs.Files
	// Own is the folder, the same for all launchers, where node 0 leaves certificates for this run alone.
	Own string
}

const (
	// lookInterval is how often a launcher looks whether node 0 is there.
	lookInterval = 50 * time.Millisecond
	// patience is after how long it says that it waits.
	patience = 5 * time.Second
	// certificateSlack is how much longer than the run its own certificates are valid: launchers of a
	// job start minutes apart.
	certificateSlack = time.Hour
)

// plain reports whether the server is for this host's processes alone, and does without TLS.
func (m *Master) plain() bool {
	ip := net.ParseIP(m.Host)
	return m.Host == "localhost" || ip != nil && ip.IsLoopback()
}

func (m *Master) endpoint() string { return net.JoinHostPort(m.Host, m.Port) }

// files are the certificates of this run.
func (m *Master) files() certs.Files {
	if m.Certificates != nil {
		return *m.Certificates
	}
	return certs.In(m.Own)
}

// serve starts the server, and makes certificates for it where there are none.
func (m *Master) serve(ctx context.Context, p *epperfv1.Plan, config ServerConfig) (*Server, error) {
	config.Listen = m.endpoint()
	var prepare func() error
	if !m.plain() {
		address, names, err := m.listen(ctx)
		if err != nil {
			return nil, err
		}
		if m.Certificates == nil {
			config.Also = m.Own
			prepare = func() error {
				_, err := certs.Make(m.Own, certs.Request{Hosts: names, Valid: time.Duration(p.GetTimeoutNs()) + certificateSlack})
				return err
			}
		}
		files := m.files()
		config.Listen = net.JoinHostPort(address, m.Port)
		config.CAFile, config.CertFile, config.KeyFile = files.CA, files.ServerCert, files.ServerKey
	}
	server, err := StartServer(ctx, config, prepare)
	if err != nil {
		return nil, fmt.Errorf("%w; --master-addr=HOST:PORT names another port of node 0", err)
	}
	return server, nil
}

// listen returns the address of this host on which the server has to listen, and all names that it may be
// called by. Where the host's own name means loopback, as on Debian, it listens on all addresses.
func (m *Master) listen(ctx context.Context) (address string, names []string, err error) {
	found, err := net.DefaultResolver.LookupHost(ctx, m.Host)
	if err != nil {
		return "", nil, fmt.Errorf("--master-addr: %w", err)
	}
	own, err := ownAddresses()
	if err != nil {
		return "", nil, err
	}
	names = append([]string{m.Host}, found...)
	for _, ip := range found {
		switch {
		case net.ParseIP(ip).IsLoopback():
			address = "0.0.0.0"
		case slices.Contains(own, ip):
			return ip, names, nil
		}
	}
	if address == "" {
		return "", nil, fmt.Errorf("--master-addr=%s is %v, none of which is an address of this host, node 0 (it has %v); start node 0 there, or name an address of this host",
			m.Host, found, own)
	}
	return address, append(names, own...), nil
}

// ownAddresses are this host's, without loopback.
func ownAddresses() ([]string, error) {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("look for this host's addresses: %w", err)
	}
	var own []string
	for _, address := range addresses {
		if network, ok := address.(*net.IPNet); ok && !network.IP.IsLoopback() {
			own = append(own, network.IP.String())
		}
	}
	return own, nil
}

// await waits until node 0 is there, and returns how to speak with it.
func (m *Master) await(ctx context.Context, says io.Writer) (*tls.Config, error) {
	slow := time.AfterFunc(patience, func() { fmt.Fprintf(says, "perf: waiting for node 0 at %s\n", m.endpoint()) })
	defer slow.Stop()
	var config *tls.Config
	if !m.plain() {
		files := m.files()
		err := again(ctx, func() error {
			_, err := os.Stat(files.CA)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("certificates of node 0: %w; is --output one folder for all hosts? else make them with perf certs and give each launcher --certs", err)
		}
		if config, err = certs.Client(files.CA, files.ClientCert, files.ClientKey); err != nil {
			return nil, err
		}
	}
	err := again(ctx, func() error {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", m.endpoint())
		if err == nil {
			err = conn.Close()
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("etcd of node 0: %w; does node 0 run, and is --master-addr where it does?", err)
	}
	return config, nil
}

// again tries until it works or ctx ends; then it says what was wrong last.
func again(ctx context.Context, try func() error) error {
	var last error
	for {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() == nil {
			last = err
		}
		select {
		case <-time.After(lookInterval):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) && last != nil {
				return last
			}
			return context.Cause(ctx)
		}
	}
}
