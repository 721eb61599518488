// Command remote is a remote execution service of one host, for the test of --config=remote: storage,
// action cache and executor of the Remote Execution API, on loopback, in memory and a folder.
//
// An action sees its inputs, the compiler's folders and nothing else of the host, so one that reads
// what it does not declare fails. Nothing is authenticated: it listens on loopback alone.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	repb "github.com/bazelbuild/remote-apis/build/bazel/remote/execution/v2"
	bspb "google.golang.org/genproto/googleapis/bytestream"
	"google.golang.org/grpc"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == sandboxCommand {
		fmt.Fprintln(os.Stderr, enter(os.Args[2:]))
		os.Exit(sandboxFailed)
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, "remote:", err)
		os.Exit(1)
	}
}

func serve() error {
	folder := flag.String("folder", "", "where blobs and actions lie; must be there, and empty")
	jobs := flag.Int("jobs", 2, "actions at the same time")
	flag.Parse()
	store, err := newStore(*folder)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(64 << 20))
	worker := &worker{store: store, slots: make(chan struct{}, *jobs)}
	repb.RegisterCapabilitiesServer(server, worker)
	repb.RegisterExecutionServer(server, worker)
	repb.RegisterActionCacheServer(server, store)
	repb.RegisterContentAddressableStorageServer(server, store)
	bspb.RegisterByteStreamServer(server, store)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		server.Stop()
	}()
	fmt.Println(listener.Addr()) // who starts this reads where to call
	err = server.Serve(listener)
	fmt.Printf("%d actions run\n", worker.ran.Load())
	return err
}
