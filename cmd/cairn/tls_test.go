package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// writeCertificate makes a certificate for 127.0.0.1 with that serial number.
func writeCertificate(t *testing.T, certFile, keyFile string, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "cairn"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "EC PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// serialOf returns the serial number of the certificate that a server shows.
func serialOf(t *testing.T, url string) int64 {
	t.Helper()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	resp, err := client.Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.TLS.Version < tls.VersionTLS12 {
		t.Errorf("status %d, TLS %x", resp.StatusCode, resp.TLS.Version)
	}
	return resp.TLS.PeerCertificates[0].SerialNumber.Int64()
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	srv, err := startServer(filepath.Join(dir, "data"), "--tls-cert", certFile, "--tls-key", keyFile)
	if err != nil {
		t.Fatal(err)
	}
	defer srv.kill()
	if got := serialOf(t, srv.url); got != 1 {
		t.Fatalf("certificate %d, want 1", got)
	}
	changed := func(want int64) bool {
		if err := srv.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for range 50 {
			if serialOf(t, srv.url) == want {
				return true
			}
			time.Sleep(20 * time.Millisecond)
		}
		return false
	}
	writeCertificate(t, certFile, keyFile, 2)
	if !changed(2) {
		t.Error("a new certificate is not used after SIGHUP")
	}
	if err := os.WriteFile(certFile, []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	if changed(3) || serialOf(t, srv.url) != 2 {
		t.Error("a broken certificate takes the place of a good one")
	}

	// Plain HTTP on a TLS port ends, and TLS 1.1 is refused.
	if resp, err := http.Get("http" + srv.url[len("https"):] + "/healthz"); err == nil {
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			t.Error("plain HTTP is answered on a TLS port")
		}
	}
	conn, err := tls.Dial("tcp", srv.url[len("https://"):], &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11})
	if err == nil {
		conn.Close()
		t.Error("TLS 1.1 is taken")
	}
}

// TestCertificateFilesAreWatched looks at the files' times without a signal.
func TestCertificateFilesAreWatched(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	writeCertificate(t, certFile, keyFile, 1)
	c, err := openCertificate(certFile, keyFile, discardLogger())
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 { return c.current.Load().Leaf.SerialNumber.Int64() }
	c.reload(false)
	writeCertificate(t, certFile, keyFile, 2)
	if serial() != 1 {
		t.Errorf("certificate %d before it was looked at", serial())
	}
	later := time.Now().Add(time.Minute)
	if err := os.Chtimes(certFile, later, later); err != nil {
		t.Fatal(err)
	}
	if c.reload(false); serial() != 2 {
		t.Errorf("certificate %d after the files changed", serial())
	}
	if _, err := openCertificate(certFile+"x", keyFile, discardLogger()); err == nil {
		t.Error("a certificate that is not there was opened")
	}
}
