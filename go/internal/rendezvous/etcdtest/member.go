package etcdtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"

	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
)

// memberEnv makes a test binary a member of a cluster.
const memberEnv = "EPPERF_ETCD_MEMBER"

// A member is what one process of a cluster has to know.
type member struct {
	Name, Folder, Client, Peer, Cluster string
	Files                               Files
}

// MainOfMember returns at once in a test, and never in a process that StartCluster started.
func MainOfMember() {
	text, started := os.LookupEnv(memberEnv)
	if !started {
		return
	}
	var m member
	err := json.Unmarshal([]byte(text), &m)
	if err == nil {
		err = m.serve()
	}
	fmt.Fprintln(os.Stderr, "etcd member:", err)
	os.Exit(1)
}

// serve lasts until the test ends or kills this process.
func (m member) serve() error {
	e := embed.NewConfig()
	e.Name, e.Dir, e.InitialCluster = m.Name, m.Folder, m.Cluster
	for _, address := range []struct {
		text            string
		listen, publish *[]url.URL
	}{
		{m.Client, &e.ListenClientUrls, &e.AdvertiseClientUrls},
		{m.Peer, &e.ListenPeerUrls, &e.AdvertisePeerUrls},
	} {
		parsed, err := url.Parse(address.text)
		if err != nil {
			return err
		}
		*address.listen, *address.publish = []url.URL{*parsed}, []url.URL{*parsed}
	}
	secure := transport.TLSInfo{
		TrustedCAFile: m.Files.CA, CertFile: m.Files.ServerCert, KeyFile: m.Files.ServerKey, ClientCertAuth: true,
	}
	e.ClientTLSInfo, e.PeerTLSInfo = secure, secure
	e.UnsafeNoFsync = true
	e.LogOutputs, e.LogLevel = []string{os.DevNull}, "fatal"
	server, err := embed.StartEtcd(e)
	if err != nil {
		return err
	}
	select {
	case <-server.Server.ReadyNotify():
		fmt.Println("ready")
	case err := <-server.Err():
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
