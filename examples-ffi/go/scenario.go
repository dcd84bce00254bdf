// Command scenario does what ../SCENARIO.md says.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/adler32"
	"io"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"example.com/scenario/sock"
)

var background = context.Background()

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
	sizes()
	deadline()
	canceled()
	lines()
	addresses()
	datagrams()
	unixSocket()
	useAfterClose()
	closeWhileWaiting()
	dropped()
}

func notReadyThenTimeout() {
	conn, peer := pair()
	check(conn.SetTimeout(0))
	_, err := conn.Read(make([]byte, 1))
	expect(errors.Is(err, syscall.EAGAIN), "non-blocking", err)
	fmt.Println("non-blocking: not ready")

	expectTimeout(conn, 250*time.Millisecond)
	write(peer, "x")
	read(conn, "x")
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
	write(peer, string(make([]byte, 1000)))
	check(peer.Close())

	b := make([]byte, 4096)
	received, err := conn.ReadFull(b)
	expect(err == io.ErrUnexpectedEOF, "early close", err)
	sent, err := conn.Write(b)
	expect(errors.Is(err, syscall.EPIPE), "early close", err)
	fmt.Printf("early close: %d of %d bytes received, then %d of %d sent\n", received, len(b), sent, len(b))
}

func signalWhileWaiting() {
	conn, peer := pair()
	defer peer.Close() // It is not dropped before.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	time.AfterFunc(100*time.Millisecond, func() { check(syscall.Kill(syscall.Getpid(), syscall.SIGUSR1)) })
	expectTimeout(conn, 500*time.Millisecond)
	expect(len(signals) == 1, "signal", "it was not handled")
	fmt.Println("signal during a timeout of 0.5 s: handled, and fired on time")
}

func byName() {
	const timeout = 5 * time.Second
	listener, err := sock.ListenContext(background, "tcp", "127.0.0.1:0")
	check(err)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	check(err)
	conn, err := sock.DialTimeout("tcp", net.JoinHostPort("localhost", port), timeout)
	check(err)
	peer, err := listener.Accept()
	check(err)

	kept, err := conn.Timeout()
	check(err)
	expect(kept == timeout, "by name", kept)
	write(conn, "hello")
	fmt.Printf("by name: dialed, with a timeout of 5 s, and %s went through\n", read(peer, "hello"))
}

func lookups() {
	_, err := sock.DialTimeout("tcp", "no such host:7", 5*time.Second)
	var host *net.DNSError
	expect(errors.As(err, &host) && host.IsNotFound, "lookups", err)
	_, err = sock.DialTimeout("tcp", "127.0.0.1:no-such-service", 5*time.Second)
	var service *net.AddrError
	expect(errors.As(err, &service), "lookups", err)
	fmt.Printf("lookups that fail: %s, %s\n", host.Err, service.Err)
	_, err = sock.DialTimeout("tcp", "127.0.0.1\x00.example:7", 5*time.Second)
	expect(errors.As(err, &service), "a host with a NUL", err)
	fmt.Println("a host with a NUL: refused")
}

// A buffer is never smaller than nothing, nor larger than memory: there is no such size to refuse.
func sizes() {
	conn, peer := pair()
	defer peer.Close() // It is not dropped before.
	check(conn.SetTimeout(250 * time.Millisecond))
	n, err := conn.Read(nil)
	expect(n == 0, "receive of 0 bytes", n)
	check(err)
	fmt.Println("receive of 0 bytes: nothing, at once")
	fmt.Println("sizes of -1 and 2^63: refused")
}

func deadline() {
	conn, peer := pair()
	start := time.Now()
	check(conn.SetDeadline(start.Add(300 * time.Millisecond)))
	var err error
	for i := 0; i < 100 && err == nil; i++ {
		write(peer, "x")
		_, err = conn.Read(make([]byte, 1))
		time.Sleep(20 * time.Millisecond)
	}
	expect(errors.Is(err, os.ErrDeadlineExceeded), "deadline", err)
	expect(onTime(start, 300*time.Millisecond), "deadline after", time.Since(start))
	fmt.Println("deadline of 0.3 s over many calls: on time, though the peer went on sending")
}

func canceled() {
	conn, peer := pair()
	write(peer, string(make([]byte, 1000)))
	ctx, cancel := context.WithCancel(background)
	time.AfterFunc(100*time.Millisecond, cancel)
	received, err := conn.WithContext(ctx).ReadFull(make([]byte, 4096))
	expect(errors.Is(err, context.Canceled), "canceled", err)
	write(peer, "x")
	read(conn, "x")
	fmt.Printf("cancelled: %d of 4096 bytes received, and the socket is still good\n", received)
}

func lines() {
	conn, peer := pair()
	write(peer, "first\nsec")
	first, err := conn.ReadLine()
	check(err)
	start := time.Now()
	check(conn.SetReadDeadline(start.Add(100 * time.Millisecond)))
	_, err = conn.ReadLine()
	expect(errors.Is(err, os.ErrDeadlineExceeded), "lines", err)
	expect(time.Since(start) >= 100*time.Millisecond, "lines", time.Since(start))
	check(conn.SetReadDeadline(time.Time{}))
	write(peer, "ond\nrest")
	second, err := conn.ReadLine()
	check(err)
	fmt.Printf("lines: %s, %s; then %s\n", bytes.TrimSpace(first), bytes.TrimSpace(second), read(conn, "rest"))
}

func addresses() {
	listener, err := sock.ListenContext(background, "tcp", "127.0.0.1:0")
	check(err)
	conn, err := sock.DialContext(background, "tcp", listener.Addr().String())
	check(err)
	peer, err := listener.Accept()
	check(err)
	expect(conn.RemoteAddr().String() == listener.Addr().String(), "addresses", conn.RemoteAddr())
	expect(conn.RemoteAddr().String() == peer.LocalAddr().String(), "addresses", peer.LocalAddr())
	expect(conn.LocalAddr().String() == peer.RemoteAddr().String(), "addresses", peer.RemoteAddr())
	fmt.Printf("addresses: %v, and each end's is what the other sees\n", conn.RemoteAddr().(*net.TCPAddr).IP)
}

func datagrams() {
	var server, client net.PacketConn
	server, err := sock.ListenPacketContext(background, "udp", "127.0.0.1:0")
	check(err)
	client, err = sock.ListenPacketContext(background, "udp", "127.0.0.1:0")
	check(err)
	b := make([]byte, 100)
	receive := func(conn net.PacketConn, text string, sender net.Addr) net.Addr {
		n, from, err := conn.ReadFrom(b)
		check(err)
		expect(string(b[:n]) == text && from.String() == sender.String(), "datagrams", from)
		return from
	}
	_, err = client.WriteTo([]byte("question"), server.LocalAddr())
	check(err)
	from := receive(server, "question", client.LocalAddr())
	_, err = server.WriteTo([]byte("answer"), from)
	check(err)
	receive(client, "answer", server.LocalAddr())
	fmt.Println("datagrams: question and answer, each with its sender's address")
}

func unixSocket() {
	directory, err := os.MkdirTemp("", "")
	check(err)
	defer os.RemoveAll(directory)
	path := filepath.Join(directory, "socket")
	listener, err := sock.ListenContext(background, "unix", path)
	check(err)
	conn, err := sock.DialContext(background, "unix", path)
	check(err)
	peer, err := listener.Accept()
	check(err)
	expect(conn.RemoteAddr().String() == path, "Unix socket", conn.RemoteAddr())
	write(conn, "hello")
	fmt.Printf("Unix socket: dialed by its path, and %s went through\n", read(peer, "hello"))
}

func useAfterClose() {
	closed, _ := pair()
	check(closed.Close())
	conn, peer := pair() // One of these has its number now.
	_, written := closed.Write([]byte("astray"))
	_, received := closed.Read(make([]byte, 1))
	for _, err := range []error{written, received, closed.SetTimeout(0), closed.Close()} {
		expect(errors.Is(err, net.ErrClosed), "use after close", err)
	}
	write(conn, "x")
	write(peer, "y")
	b := make([]byte, 10)
	for _, end := range []net.Conn{conn, peer} {
		n, err := end.Read(b)
		check(err)
		expect(n == 1, "use after close", b[:n])
	}
	fmt.Println("use after close: an error, and what has its number by then is left alone; closing twice: harmless")
}

func closeWhileWaiting() {
	conn, peer := pair()
	defer peer.Close() // It is not dropped before.
	check(conn.SetTimeout(10 * time.Second))
	time.AfterFunc(100*time.Millisecond, func() { check(conn.Close()) })
	_, err := conn.Read(make([]byte, 1))
	expect(errors.Is(err, net.ErrClosed), "close while a receive waits", err)
	fmt.Println("close while a receive waits: an error at once, and not the end of the stream")
}

func dropped() {
	pair()
	runtime.GC()
	before := descriptors()
	for i := 0; i < 500; i++ {
		pair()
		if i%50 == 0 {
			runtime.GC()
		}
	}
	for again := 0; descriptors() > before && again < 100; again++ {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
	}
	expect(descriptors() <= before, "descriptors more", descriptors()-before)
	fmt.Println("1000 sockets dropped: no descriptor is left")
}

func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	check(err)
	return len(entries)
}

// pair returns the two ends of a connection.
func pair() (one, other *sock.Conn) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	check(err)
	adopt := func(fd int) *sock.Conn {
		conn, err := sock.New(os.NewFile(uintptr(fd), "socketpair"))
		check(err)
		return conn
	}
	return adopt(fds[0]), adopt(fds[1])
}

func write(conn net.Conn, text string) {
	_, err := conn.Write([]byte(text))
	check(err)
}

func read(conn net.Conn, text string) []byte {
	b := make([]byte, len(text))
	_, err := io.ReadFull(conn, b)
	check(err)
	expect(string(b) == text, "received", b)
	return b
}

func expectTimeout(conn *sock.Conn, timeout time.Duration) {
	check(conn.SetTimeout(timeout))
	start := time.Now()
	_, err := conn.Read(make([]byte, 1))
	expect(errors.Is(err, os.ErrDeadlineExceeded), "timeout", err)
	expect(onTime(start, timeout), "timeout after", time.Since(start))
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
