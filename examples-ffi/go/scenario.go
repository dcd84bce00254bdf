// Command scenario does what ../SCENARIO.md says, with the net package's sockets.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"example.com/scenario/sock"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: scenario HOST PORT")
	}
	notReadyThenTimeout()
	echo(net.JoinHostPort(os.Args[1], os.Args[2]))
	earlyClose()
	signalWhileWaiting()
	byName()
	lookups()
}

func notReadyThenTimeout() {
	conn, peer := pair()
	defer peer.Close()
	one := make([]byte, 1)

	check(conn.SetTimeout(0))
	_, err := conn.Read(one)
	expect(errors.Is(err, syscall.EAGAIN), "non-blocking", err)
	fmt.Println("non-blocking: not ready")

	const timeout = 250 * time.Millisecond
	check(conn.SetTimeout(timeout))
	start := time.Now()
	_, err = conn.Read(one)
	expect(errors.Is(err, os.ErrDeadlineExceeded), "timeout", err)
	expect(onTime(start, timeout), "timeout after", time.Since(start))
	_, err = peer.Write([]byte("x"))
	check(err)
	_, err = conn.Read(one)
	check(err)
	fmt.Println("timeout of 0.25 s: fired on time, and the socket is still good")
}

func echo(address string) {
	tcp, err := net.Dial("tcp", address)
	check(err)
	conn, err := sock.New(tcp.(*net.TCPConn))
	check(err)
	defer conn.Close()
	check(conn.SetTimeout(30 * time.Second))

	sent := make([]byte, 8<<20)
	for i := range sent {
		sent[i] = byte(i % 251)
	}
	writing := make(chan error, 1)
	go func() {
		_, err := conn.Write(sent)
		writing <- err
	}()
	received := make([]byte, len(sent))
	n, err := conn.ReadFull(received)
	check(err)
	check(<-writing)
	expect(bytes.Equal(received, sent), "echo", "other bytes came back")
	fmt.Printf("echo: %d bytes there and back, Adler-32 %08x\n", n, adler32.Checksum(received))
}

func earlyClose() {
	conn, peer := pair()
	check(conn.SetTimeout(sock.Forever))
	_, err := peer.Write(make([]byte, 1000))
	check(err)
	check(peer.Close())

	b := make([]byte, 4096)
	received, err := conn.ReadFull(b)
	expect(err == io.ErrUnexpectedEOF, "early close", err)
	sent, err := conn.Write(b)
	expect(errors.Is(err, syscall.EPIPE), "early close", err)
	fmt.Printf("early close: %d of %d bytes received, then %d of %d sent\n", received, len(b), sent, len(b))
}

// The signal goes to the very thread that waits, so that it is the library that has to bear it.
func signalWhileWaiting() {
	conn, peer := pair()
	defer peer.Close()
	const timeout = 500 * time.Millisecond
	check(conn.SetTimeout(timeout))

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	process, thread := uintptr(syscall.Getpid()), uintptr(syscall.Gettid())
	time.AfterFunc(100*time.Millisecond, func() {
		syscall.RawSyscall(syscall.SYS_TGKILL, process, thread, uintptr(syscall.SIGUSR1))
	})

	start := time.Now()
	_, err := conn.Read(make([]byte, 1))
	expect(errors.Is(err, os.ErrDeadlineExceeded), "signal", err)
	expect(onTime(start, timeout), "timeout after", time.Since(start))
	select {
	case <-signals:
	case <-time.After(10 * time.Second):
		expect(false, "signal", "it was not handled")
	}
	fmt.Println("signal during a timeout of 0.5 s: handled, and fired on time")
}

func byName() {
	const timeout = 5 * time.Second
	listener, err := sock.Listen("127.0.0.1", "0", 0)
	check(err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	check(err)
	conn, err := sock.Dial("localhost", port, timeout)
	check(err)
	defer conn.Close()
	peer, err := listener.Accept()
	check(err)
	defer peer.Close()

	kept, err := conn.Timeout()
	check(err)
	expect(kept == timeout, "by name", kept)
	_, err = conn.Write([]byte("hello"))
	check(err)
	received := make([]byte, 5)
	_, err = io.ReadFull(peer, received)
	check(err)
	expect(string(received) == "hello", "by name", received)
	fmt.Printf("by name: dialed, with a timeout of 5 s, and %s went through\n", received)
}

func lookups() {
	words := func(host, service string, reason sock.LookupError) error {
		_, err := sock.Dial(host, service, 5*time.Second)
		expect(errors.Is(err, reason), "lookups", err)
		return errors.Unwrap(err)
	}
	host := words("no such host", "7", sock.NoHost)
	service := words("127.0.0.1", "no-such-service", sock.NoService)
	_, err := sock.Dial("127.0.0.1\x00.example", "7", 5*time.Second)
	expect(errors.Is(err, syscall.EINVAL), "lookups", err)
	fmt.Printf("lookups that fail: %v, %v\n", host, service)
}

// pair returns the two ends of a connection, the first of them adopted.
func pair() (*sock.Conn, net.Conn) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(err)
	var ends [2]net.Conn
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "socketpair")
		ends[i], err = net.FileConn(file)
		check(err)
		check(file.Close())
	}
	conn, err := sock.New(ends[0].(*net.UnixConn))
	check(err)
	return conn, ends[1]
}

func onTime(start time.Time, timeout time.Duration) bool {
	elapsed := time.Since(start)
	return elapsed >= timeout && elapsed < timeout+time.Second
}

func expect(ok bool, step string, found any) {
	if !ok {
		log.Fatalf("%s: %v", step, found)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
