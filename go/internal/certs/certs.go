// Package certs makes the certificates with which the launchers of a run and their etcd know each other,
// and reads them.
//
// An authority signs one certificate for the server and one for all clients. Its key is never written: who
// finds the folder can take part, and can let nobody else take part.
package certs

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Files are the paths of an authority's certificate, and of two that it signed.
type Files struct {
	CA                    string
	ServerCert, ServerKey string
	ClientCert, ClientKey string
}

// In returns the files that Make leaves in a folder.
func In(folder string) Files {
	return Files{
		CA:         filepath.Join(folder, "ca.pem"),
		ServerCert: filepath.Join(folder, "server.pem"), ServerKey: filepath.Join(folder, "server-key.pem"),
		ClientCert: filepath.Join(folder, "client.pem"), ClientKey: filepath.Join(folder, "client-key.pem"),
	}
}

// A Request says what certificates are for.
type Request struct {
	// Hosts are the names and addresses under which clients reach the server.
	Hosts []string
	// Valid is for how long, from now on. Clocks may differ by an hour.
	Valid time.Duration
}

// clockSkew is how far the clock of another host may be behind.
const clockSkew = time.Hour

// Make makes certificates in a folder that is new or empty. The folder appears with all files in it, so who
// waits for it sees no half. The folder is its user's alone, and so is each file.
func Make(folder string, request Request) (files Files, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make certificates in %s: %w", folder, err)
		}
	}()
	if len(request.Hosts) == 0 {
		return Files{}, errors.New("for no host")
	}
	parent := filepath.Dir(filepath.Clean(folder))
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return Files{}, err
	}
	aside, err := os.MkdirTemp(parent, "."+filepath.Base(folder)+"-") // 0700
	if err != nil {
		return Files{}, err
	}
	defer os.RemoveAll(aside) // it has moved where all went well
	if err := write(In(aside), request); err != nil {
		return Files{}, err
	}
	if err := os.Rename(aside, folder); err != nil {
		if left, _ := os.ReadDir(folder); len(left) > 0 {
			return Files{}, errors.New("it is not empty; nothing was changed")
		}
		return Files{}, err
	}
	return In(folder), nil
}

func write(to Files, request Request) error {
	now := time.Now()
	authority := &x509.Certificate{
		Subject: pkix.Name{CommonName: "epperf authority"}, NotBefore: now.Add(-clockSkew), NotAfter: now.Add(request.Valid),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	authorityKey, err := sign(to.CA, "", authority, authority, nil)
	if err != nil {
		return err
	}
	server := &x509.Certificate{
		Subject: pkix.Name{CommonName: "epperf etcd"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature,
		// Etcd's server is a client of its own, too.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, host := range request.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			server.IPAddresses = append(server.IPAddresses, ip)
		} else {
			server.DNSNames = append(server.DNSNames, host)
		}
	}
	if _, err := sign(to.ServerCert, to.ServerKey, server, authority, authorityKey); err != nil {
		return err
	}
	client := &x509.Certificate{
		Subject: pkix.Name{CommonName: "epperf launcher"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	_, err = sign(to.ClientCert, to.ClientKey, client, authority, authorityKey)
	return err
}

// sign makes a key for a certificate, signs it with the authority's, or with itself where that is nil, and
// writes both; keyFile may be "".
func sign(certFile, keyFile string, cert, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	if authorityKey == nil {
		authorityKey = key
	}
	if cert.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, err
	}
	signed, err := x509.CreateCertificate(rand.Reader, cert, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	if err := writePEM(certFile, "CERTIFICATE", signed); err != nil || keyFile == "" {
		return key, err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, writePEM(keyFile, "PRIVATE KEY", private)
}

func writePEM(path, kind string, content []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600)
}

// Client reads how a client speaks: it trusts an authority, or without one the system's, and shows a
// certificate if there is one.
func Client(ca, cert, key string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		text, err := os.ReadFile(ca)
		if err != nil {
			return nil, fmt.Errorf("read an authority: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("read an authority: %s: no certificate in it", ca)
		}
	}
	if cert != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("read a certificate and its key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
