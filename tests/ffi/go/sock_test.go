package sock_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.com/scenario/sock"
)

var (
	background = context.Background()
	often, _   = strconv.Atoi(os.Getenv("OFTEN"))
	soon       = func() time.Duration { d, _ := time.ParseDuration(os.Getenv("SOON") + "s"); return d }()
)

const late = 5 * time.Second // by which a busy machine may be late

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err error, kinds ...error) {
	t.Helper()
	for _, kind := range kinds {
		if !errors.Is(err, kind) {
			t.Fatalf("%v, not %v", err, kind)
		}
	}
}

func expect(t *testing.T, ok bool, found ...any) {
	t.Helper()
	if !ok {
		t.Fatal(found...)
	}
}

func took(t *testing.T, start time.Time, timeout time.Duration) {
	t.Helper()
	if elapsed := time.Since(start); elapsed < timeout || elapsed > timeout+late {
		t.Fatalf("%v took %v", timeout, elapsed)
	}
}

// within fails when something does not end: a wait that nothing ends.
func within(t *testing.T, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it waits on")
	}
}

func adopted(t *testing.T, fd int) *sock.Conn {
	t.Helper()
	check(t, syscall.SetNonblock(fd, true))
	conn, err := sock.New(os.NewFile(uintptr(fd), "socket"))
	check(t, err)
	return conn
}

func pairOf(t *testing.T, kind int) (*sock.Conn, *sock.Conn) {
	t.Helper()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, kind|syscall.SOCK_CLOEXEC, 0)
	check(t, err)
	return kept(t, adopted(t, fds[0]), adopted(t, fds[1]))
}

// kept keeps both ends for the time of a test: a peer that is dropped is the end of a stream.
func kept(t *testing.T, one, other *sock.Conn) (*sock.Conn, *sock.Conn) {
	t.Cleanup(func() {
		runtime.KeepAlive(one)
		runtime.KeepAlive(other)
	})
	return one, other
}

func pair(t *testing.T) (*sock.Conn, *sock.Conn) {
	t.Helper()
	return pairOf(t, syscall.SOCK_STREAM)
}

func listen(t *testing.T) *sock.Listener {
	t.Helper()
	listener, err := sock.ListenContext(background, "tcp", "127.0.0.1:0")
	check(t, err)
	return listener
}

func tcp(t *testing.T) (*sock.Conn, *sock.Conn) {
	t.Helper()
	listener := listen(t)
	defer listener.Close()
	conn, err := sock.DialContext(background, "tcp", listener.Addr().String())
	check(t, err)
	peer, err := listener.AcceptConn()
	check(t, err)
	return kept(t, conn, peer)
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	check(t, err)
	return len(entries)
}

func resident(t *testing.T) int {
	t.Helper()
	pages, err := os.ReadFile("/proc/self/statm")
	check(t, err)
	n, err := strconv.Atoi(strings.Fields(string(pages))[1])
	check(t, err)
	return n * os.Getpagesize()
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// A stream that one's own Close cuts is no clean end.
func TestCloseDuringRead(t *testing.T) {
	for _, make := range []func(*testing.T) (*sock.Conn, *sock.Conn){pair, tcp} {
		conn, peer := make(t)
		_, err := peer.Write([]byte("begin"))
		check(t, err)
		time.AfterFunc(50*time.Millisecond, func() { conn.Close() })
		within(t, func() {
			data, err := io.ReadAll(conn)
			want(t, err, net.ErrClosed)
			expect(t, string(data) == "begin", data)
		})
	}
}

func TestErrorsAfterClose(t *testing.T) {
	conn, _ := pair(t)
	conn.Close()
	b := make([]byte, 1)
	_, read := conn.Read(b)
	_, none := conn.Read(nil)
	_, full := conn.ReadFull(b)
	_, line := conn.ReadLine()
	_, _, from := conn.ReadFrom(b)
	_, write := conn.Write(b)
	_, to := conn.WriteTo(b, &net.UnixAddr{Name: "@nobody"})
	_, timeout := conn.Timeout()
	for i, err := range []error{read, none, full, line, from, write, to, timeout, conn.SetTimeout(0), conn.Close(),
		conn.SetDeadline(time.Now()), conn.CloseWrite()} {
		if !errors.Is(err, net.ErrClosed) {
			t.Fatalf("%d: %v", i, err)
		}
	}
	listener := listen(t)
	time.AfterFunc(50*time.Millisecond, func() { listener.Close() })
	within(t, func() {
		_, err := listener.Accept()
		want(t, err, net.ErrClosed)
	})
	want(t, listener.SetDeadline(time.Now()), net.ErrClosed)
	want(t, listener.Close(), net.ErrClosed)
}

// A descriptor that is closed and used again never gets what was meant for the old one.
func TestReuse(t *testing.T) {
	for i := 0; i < often; i++ {
		one, far := pair(t)
		var group sync.WaitGroup
		group.Add(2)
		for n := 0; n < 2; n++ {
			go func() {
				defer group.Done()
				for {
					if _, err := one.Write([]byte("astray")); err != nil {
						return
					}
				}
			}()
		}
		time.Sleep(time.Duration(rand.Intn(200)) * time.Microsecond)
		one.Close()
		other, peer := pair(t)
		group.Wait()
		other.SetTimeout(0)
		peer.SetTimeout(0)
		for _, end := range []*sock.Conn{other, peer} {
			_, err := end.Read(make([]byte, 10))
			want(t, err, syscall.EAGAIN)
		}
		for _, end := range []*sock.Conn{far, other, peer} {
			end.Close()
		}
	}
}

// Concurrent writes do not interleave.
func TestConcurrentWrites(t *testing.T) {
	conn, peer := pair(t)
	const writers, size = 8, 4 << 20
	for i := 0; i < writers; i++ {
		go conn.Write(bytes.Repeat([]byte{byte('a' + i)}, size))
	}
	b := make([]byte, size)
	for i := 0; i < writers; i++ {
		_, err := peer.ReadFull(b)
		check(t, err)
		expect(t, bytes.Count(b, b[:1]) == size, "the bytes of two writes are mixed")
	}
}

func TestBuffers(t *testing.T) {
	conn, peer := pair(t)
	check(t, conn.SetTimeout(5*time.Second))
	start := time.Now()
	for _, read := range []func([]byte) (int, error){conn.Read, conn.ReadFull, func(b []byte) (int, error) {
		n, _, err := conn.ReadFrom(b)
		return n, err
	}, conn.Write} {
		for _, b := range [][]byte{nil, {}} {
			n, err := read(b)
			expect(t, n == 0 && err == nil, n, err)
		}
	}
	expect(t, time.Since(start) < late, "it waited")
	// A part of a slice, and nothing but that.
	_, err := peer.Write([]byte("..part..")[2:6])
	check(t, err)
	b := []byte("..........")
	n, err := conn.ReadFull(b[3:7])
	expect(t, n == 4 && err == nil && string(b) == "...part...", string(b))
	// The bytes of an object that has pointers too.
	object := struct {
		pointer *testing.T
		bytes   [4]byte
	}{pointer: t}
	_, err = peer.Write([]byte("1234567890"))
	check(t, err)
	for _, read := range []func([]byte) (int, error){conn.Read, conn.ReadFull} {
		_, err = read(object.bytes[:])
		check(t, err)
	}
	_, err = peer.Write(object.bytes[:])
	check(t, err)
	// An empty message is sent and received.
	one, other := pairOf(t, syscall.SOCK_DGRAM)
	_, err = one.Write(nil)
	check(t, err)
	n, err = other.Read(b)
	expect(t, n == 0 && err == nil, n, err)
}

func TestDeadlines(t *testing.T) {
	conn, peer := pair(t)
	b := make([]byte, 8<<20)
	timeout := func(start time.Time, after time.Duration, err error) {
		t.Helper()
		want(t, err, os.ErrDeadlineExceeded)
		var as net.Error
		expect(t, errors.As(err, &as) && as.Timeout(), err)
		took(t, start, after)
	}
	start := time.Now()
	check(t, conn.SetReadDeadline(start.Add(50*time.Millisecond)))
	_, err := conn.Read(b)
	timeout(start, 50*time.Millisecond, err)
	// One direction has not that of the other.
	_, err = conn.Write([]byte("x"))
	check(t, err)
	// Past: nothing is received, though it is there.
	_, err = peer.Write([]byte("x"))
	check(t, err)
	_, err = conn.Read(b)
	want(t, err, os.ErrDeadlineExceeded)
	check(t, conn.SetReadDeadline(time.Time{}))
	_, err = conn.Read(b)
	check(t, err)
	// One in the past ends waits that are under way.
	start = time.Now()
	time.AfterFunc(50*time.Millisecond, func() { check(t, conn.SetDeadline(time.Unix(1, 0))) })
	within(t, func() {
		_, err = conn.Read(b)
		timeout(start, 50*time.Millisecond, err)
	})
	check(t, conn.SetDeadline(time.Time{}))
	start = time.Now()
	time.AfterFunc(50*time.Millisecond, func() { check(t, conn.SetDeadline(time.Unix(1, 0))) })
	within(t, func() {
		var sent, received int
		sent, err = conn.Write(b)
		timeout(start, 50*time.Millisecond, err)
		check(t, conn.SetDeadline(time.Time{}))
		check(t, peer.SetTimeout(0))
		peer.Read(b[:1]) // Of the one above.
		for n := 1; n > 0; received += n {
			n, _ = peer.Read(b)
		}
		expect(t, sent > 0 && sent == received, sent, "sent, and received", received)
	})
	check(t, peer.SetTimeout(sock.Forever))
	// A later one makes a wait longer, and the timeout is besides.
	check(t, conn.SetDeadline(time.Now().Add(20*time.Millisecond)))
	check(t, conn.SetDeadline(time.Now().Add(time.Hour)))
	check(t, conn.SetTimeout(100*time.Millisecond))
	start = time.Now()
	_, err = conn.Read(b)
	timeout(start, 100*time.Millisecond, err)
	check(t, conn.SetTimeout(sock.Forever))
	listener := listen(t)
	start = time.Now()
	time.AfterFunc(50*time.Millisecond, func() { check(t, listener.SetDeadline(time.Now())) })
	within(t, func() {
		_, err = listener.Accept()
		timeout(start, 50*time.Millisecond, err)
	})
}

func TestTimeouts(t *testing.T) {
	conn, peer := pair(t)
	for _, timeout := range []time.Duration{0, 1, time.Millisecond, 5 * time.Hour, 290 * 365 * 24 * time.Hour, sock.Forever} {
		check(t, conn.SetTimeout(timeout))
		kept, err := conn.Timeout()
		expect(t, kept == timeout && err == nil, kept, err)
	}
	want(t, conn.SetTimeout(-1), syscall.EINVAL)
	// One for all of a transfer, whose peer goes on without end.
	check(t, conn.SetTimeout(200*time.Millisecond))
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				peer.Close()
				return
			default:
				peer.Write([]byte("x"))
				time.Sleep(time.Millisecond)
			}
		}
	}()
	start := time.Now()
	n, err := conn.ReadFull(make([]byte, 1<<20))
	want(t, err, os.ErrDeadlineExceeded)
	took(t, start, 200*time.Millisecond)
	expect(t, n > 0, n)
	close(stop)
	other, _ := pair(t)
	var latest time.Duration
	for i := 0; i < 50; i++ {
		timeout := time.Duration(1 + rand.Intn(10_000_000))
		check(t, other.SetTimeout(timeout))
		start := time.Now()
		_, err := other.Read(make([]byte, 1))
		want(t, err, os.ErrDeadlineExceeded)
		took(t, start, timeout)
		if late := time.Since(start) - timeout; late > latest {
			latest = late
		}
	}
	t.Logf("never early, %v late at most", latest.Round(100*time.Microsecond))
}

// A context ends a wait, at whatever moment, and what came is not lost.
func TestContext(t *testing.T) {
	conn, peer := pair(t)
	var slowest time.Duration
	for i := 0; i < often; i++ {
		ctx, cancel := context.WithCancel(background)
		moment := make(chan time.Time, 1)
		time.AfterFunc(time.Duration(rand.Intn(2000))*time.Microsecond, func() { moment <- time.Now(); cancel() })
		_, err := conn.WithContext(ctx).Read(make([]byte, 1))
		want(t, err, context.Canceled)
		if d := time.Since(<-moment); d > slowest {
			slowest = d
		}
	}
	expect(t, slowest < soon+late, "only after", slowest)
	for i := 0; i < often; i++ {
		sent, b := []byte(fmt.Sprintf("%04d", i)), make([]byte, 4)
		ctx, cancel := context.WithTimeout(background, time.Duration(rand.Intn(1000))*time.Microsecond)
		go func() {
			time.Sleep(time.Duration(rand.Intn(1000)) * time.Microsecond)
			peer.Write(sent)
		}()
		n, err := conn.WithContext(ctx).ReadFull(b)
		if err != nil {
			want(t, err, context.DeadlineExceeded, os.ErrDeadlineExceeded)
			_, err = conn.ReadFull(b[n:])
			check(t, err)
		}
		cancel()
		expect(t, bytes.Equal(b, sent), string(b), "came, and not", string(sent))
	}
	ctx, cancel := context.WithCancel(background)
	listener := listen(t)
	time.AfterFunc(50*time.Millisecond, cancel)
	within(t, func() {
		_, err := listener.WithContext(ctx).Accept()
		want(t, err, context.Canceled)
	})
	_, err := conn.WithContext(ctx).Write([]byte("x"))
	want(t, err, context.Canceled)
	t.Logf("%d of %d, the slowest after %v", often, often, slowest.Round(100*time.Microsecond))
}

// A dial that its context ends leaves nothing behind.
func TestDialCanceled(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	check(t, err)
	defer syscall.Close(fd)
	check(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	check(t, err)
	full := fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
	ahead, err := sock.DialContext(background, "tcp", full) // Now it answers nobody.
	check(t, err)
	defer ahead.Close()
	runtime.GC()
	before := descriptors(t)
	for i := 0; i < 10; i++ {
		ctx, cancel := context.WithCancel(background)
		time.AfterFunc(time.Duration(i)*10*time.Millisecond, cancel)
		within(t, func() {
			_, err := sock.DialContext(ctx, "tcp", full)
			want(t, err, context.Canceled)
		})
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	_, err = sock.DialContext(ctx, "tcp", full)
	want(t, err, context.DeadlineExceeded, os.ErrDeadlineExceeded)
	took(t, start, 50*time.Millisecond)
	start = time.Now()
	_, err = sock.DialTimeout("tcp", full, 50*time.Millisecond)
	want(t, err, os.ErrDeadlineExceeded)
	took(t, start, 50*time.Millisecond)
	expect(t, descriptors(t) <= before, descriptors(t), "descriptors, not", before)
	_, err = sock.ListenContext(ctx, "tcp", "127.0.0.1:0")
	want(t, err, context.DeadlineExceeded)
}

// Idle goroutines cost no thread.
func TestIdle(t *testing.T) {
	const waiting = 300
	before, err := os.ReadDir("/proc/self/task")
	check(t, err)
	var group sync.WaitGroup
	conns := make([]*sock.Conn, 2*waiting)
	for i := 0; i < waiting; i++ {
		conns[2*i], conns[2*i+1] = pair(t)
		group.Add(1)
		go func(conn *sock.Conn) {
			defer group.Done()
			conn.Read(make([]byte, 1))
		}(conns[2*i])
	}
	time.Sleep(200 * time.Millisecond)
	after, err := os.ReadDir("/proc/self/task")
	check(t, err)
	for _, conn := range conns {
		conn.Close()
	}
	group.Wait()
	expect(t, len(after) < len(before)+waiting/4, len(after), "threads, and before", len(before))
}

func TestDropped(t *testing.T) {
	listener := listen(t)
	var before, memory int
	for i := 0; i < often*10; i++ {
		if i == often {
			runtime.GC()
			time.Sleep(100 * time.Millisecond)
			before, memory = descriptors(t), resident(t)
		}
		conn, err := sock.DialContext(background, "tcp", listener.Addr().String())
		check(t, err)
		raw, err := conn.SyscallConn()
		check(t, err)
		raw.Control(func(fd uintptr) { // So that no port is in TIME_WAIT.
			syscall.SetsockoptLinger(int(fd), syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1})
		})
		_, err = listener.Accept()
		check(t, err)
		if i%100 == 0 {
			runtime.GC()
		}
	}
	for i := 0; i < 50 && descriptors(t) > before; i++ {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
	}
	expect(t, descriptors(t) <= before, descriptors(t), "descriptors, and not", before)
	grown := resident(t) - memory
	expect(t, grown < 64<<20, grown, "bytes more")
	t.Logf("%d sockets", often*20)
}

func TestNames(t *testing.T) {
	var host *net.DNSError
	var service *net.AddrError
	dial := func(network, address string, as any) {
		t.Helper()
		_, err := sock.DialContext(background, network, address)
		expect(t, errors.As(err, as), err)
		var op *net.OpError
		expect(t, errors.As(err, &op) && op.Op == "dial", err)
	}
	dial("tcp", "no such host:7", &host)
	expect(t, host.IsNotFound && host.Name == "no such host", host)
	for _, address := range []string{"127.0.0.1:no-such-service", "127.0.0.1:99999", "127.0.0.1", "127.0.0.1:", "127.0.0.1:7/udp",
		"127.0.0.1\x00.example:7", "127.0.0.1:7\x00"} {
		dial("tcp", address, &service)
		_, err := sock.ListenContext(background, "tcp", address)
		expect(t, errors.As(err, &service), address, err)
	}
	dial("unix", "@name\x00more", &service)
	var unknown net.UnknownNetworkError
	dial("tcp9", "127.0.0.1:7", &unknown)
	_, err := sock.ListenContext(background, "udp", "127.0.0.1:0")
	expect(t, errors.As(err, &unknown), err)
	_, err = sock.ListenPacketContext(background, "tcp", "127.0.0.1:0")
	expect(t, errors.As(err, &unknown), err)
	listener, err := sock.ListenContext(background, "tcp", "127.0.0.1:0")
	check(t, err)
	_, err = sock.ListenContext(background, "tcp", listener.Addr().String())
	want(t, err, syscall.EADDRINUSE)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	check(t, err)
	conn, err := sock.DialContext(background, "tcp", ":"+port) // This machine.
	check(t, err)
	conn.Close()
}

func TestAdopted(t *testing.T) {
	var conn any = tls.Client(nil, nil)
	_, ok := conn.(sock.Owner)
	expect(t, !ok, "a connection of TLS is taken: its bytes would go past TLS")
	null, err := os.Open("/dev/null")
	check(t, err)
	_, err = sock.New(null)
	expect(t, err != nil, "a file is taken for a socket")
	_, err = null.Stat() // It is still open.
	check(t, err)
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	check(t, err)
	_, err = sock.New(os.NewFile(uintptr(fds[0]), "blocking"))
	want(t, err, os.ErrNoDeadline)
}

func TestLines(t *testing.T) {
	conn, peer := pair(t)
	long := strings.Repeat("x", 10000) + "\n"
	_, err := peer.Write([]byte("one\ntwo\nthr"))
	check(t, err)
	line := func(text string) {
		t.Helper()
		line, err := conn.ReadLine()
		expect(t, string(line) == text && err == nil, string(line), err)
	}
	line("one\n")
	line("two\n")
	check(t, conn.SetTimeout(20*time.Millisecond))
	_, err = conn.ReadLine()
	want(t, err, os.ErrDeadlineExceeded)
	check(t, conn.SetTimeout(0))
	_, err = conn.ReadLine()
	want(t, err, syscall.EAGAIN)
	check(t, conn.SetTimeout(sock.Forever))
	_, err = peer.Write([]byte("ee\n" + long + "a head\r\n\r\na bodycut"))
	check(t, err)
	check(t, peer.Close())
	line("three\n")
	line(long)
	head, err := conn.ReadDelim("\r\n\r\n", 100)
	expect(t, string(head) == "a head\r\n\r\n" && err == nil, string(head), err)
	b := make([]byte, 100)
	n, err := conn.Read(b[:2])
	expect(t, string(b[:n]) == "a " && err == nil, n, err)
	n, err = conn.ReadFull(b[:4])
	expect(t, string(b[:n]) == "body" && err == nil, n, err)
	_, err = conn.ReadLine()
	want(t, err, io.ErrUnexpectedEOF)
	_, err = conn.ReadDelim("\n", 2)
	want(t, err, syscall.EMSGSIZE)
	_, err = conn.ReadDelim("", 2)
	want(t, err, syscall.EINVAL)
	n, err = conn.Read(b)
	expect(t, string(b[:n]) == "cut" && err == nil, n, err)
	_, err = conn.ReadLine()
	expect(t, err == io.EOF, err)
	n, err = conn.ReadFull(b)
	expect(t, n == 0 && err == io.EOF, n, err)
}

func TestDatagrams(t *testing.T) {
	b := make([]byte, 100)
	for _, host := range []string{"127.0.0.1", "[::1]", ""} {
		server, err := sock.ListenPacketContext(background, "udp", host+":0")
		if host == "[::1]" && err != nil {
			continue // There is no IPv6.
		}
		check(t, err)
		_, port, err := net.SplitHostPort(server.LocalAddr().String())
		check(t, err)
		client, err := sock.DialContext(background, "udp", host+":"+port)
		check(t, err)
		_, err = client.Write([]byte("question"))
		check(t, err)
		n, from, err := server.ReadFrom(b)
		check(t, err)
		expect(t, string(b[:n]) == "question", n)
		_, local, err := net.SplitHostPort(client.LocalAddr().String())
		check(t, err)
		_, sender, err := net.SplitHostPort(from.String())
		expect(t, sender == local && err == nil, from)
		_, err = server.WriteTo([]byte("answer"), from)
		check(t, err)
		n, err = client.Read(b)
		expect(t, string(b[:n]) == "answer" && err == nil, n, err)
		expect(t, server.RemoteAddr() == nil, server.RemoteAddr())
		_, err = server.WriteTo(nil, &net.UDPAddr{})
		expect(t, err != nil, "a datagram for nowhere")
	}
	one, _ := pairOf(t, syscall.SOCK_DGRAM)
	_, err := one.WriteTo([]byte("x"), &net.UnixAddr{Name: "@nobody", Net: "unixgram"})
	want(t, err, syscall.ECONNREFUSED)
	_, err = one.WriteTo([]byte("x"), nil)
	expect(t, err != nil, "a datagram for nobody")
}

func TestUnix(t *testing.T) {
	directory := t.TempDir()
	check(t, os.Chdir(directory))
	for _, path := range []string{filepath.Join(directory, "absolute"), "relative", fmt.Sprint("@libsock-", os.Getpid())} {
		listener, err := sock.ListenContext(background, "unix", path)
		check(t, err)
		conn, err := sock.DialContext(background, "unix", path)
		check(t, err)
		peer, err := listener.Accept()
		check(t, err)
		expect(t, conn.RemoteAddr().String() == listener.Addr().String() && conn.RemoteAddr().Network() == "unix", conn.RemoteAddr())
		_, err = conn.Write([]byte("hello"))
		check(t, err)
		b := make([]byte, 5)
		_, err = peer.Read(b)
		expect(t, string(b) == "hello" && err == nil, err)
		check(t, listener.Close())
	}
	left, err := os.ReadDir(directory)
	expect(t, len(left) == 0 && err == nil, left)
}

// Ends of which the poller does not tell, or told before anybody waited.
func TestShutDown(t *testing.T) {
	udp, err := sock.DialContext(background, "udp", "127.0.0.1:9")
	check(t, err)
	time.AfterFunc(50*time.Millisecond, func() { udp.CloseRead() })
	for i := 0; i < 2; i++ {
		within(t, func() {
			n, err := udp.Read(make([]byte, 1))
			expect(t, n == 0 && err == nil, n, err)
		})
	}
	listener, err := sock.ListenContext(background, "unix", fmt.Sprint("@libsock-shut-", os.Getpid()))
	check(t, err)
	raw, err := listener.SyscallConn()
	check(t, err)
	time.AfterFunc(50*time.Millisecond, func() {
		raw.Control(func(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_RD) })
	})
	within(t, func() {
		_, err := listener.Accept()
		want(t, err, syscall.EINVAL)
	})
	for _, which := range []string{"own", "peer's"} {
		conn, peer := pair(t)
		time.AfterFunc(50*time.Millisecond, func() {
			if which == "own" {
				conn.CloseWrite()
			} else {
				peer.CloseRead()
			}
		})
		within(t, func() {
			_, err := conn.Write(make([]byte, 8<<20))
			want(t, err, syscall.EPIPE)
		})
	}
}

// An entry in the error queue makes nothing spin.
func TestErrorQueue(t *testing.T) {
	closed, err := sock.ListenPacketContext(background, "udp", "127.0.0.1:0")
	check(t, err)
	conn, err := sock.DialContext(background, "udp", closed.LocalAddr().String())
	check(t, err)
	closed.Close()
	raw, err := conn.SyscallConn()
	check(t, err)
	raw.Control(func(fd uintptr) { syscall.SetsockoptInt(int(fd), syscall.IPPROTO_IP, syscall.IP_RECVERR, 1) })
	_, err = conn.Write([]byte("x"))
	check(t, err)
	_, err = conn.Read(make([]byte, 1))
	want(t, err, syscall.ECONNREFUSED)
	check(t, conn.SetTimeout(time.Second))
	runtime.GC() // Not that of other tests.
	used, start := processorTime(), time.Now()
	_, err = conn.Read(make([]byte, 1))
	want(t, err, os.ErrDeadlineExceeded)
	took(t, start, time.Second)
	used = processorTime() - used
	expect(t, used < 120*time.Millisecond, used, "of processor time in a wait of 1 s")
	t.Logf("%v of processor time in 1 s", used.Round(time.Millisecond))
}

// A connection that another one takes makes an Accept neither longer nor shorter.
func TestAcceptTaken(t *testing.T) {
	for i := 0; i < 5; i++ {
		listener := listen(t)
		raw, err := listener.SyscallConn()
		check(t, err)
		fd := -1
		raw.Control(func(number uintptr) { fd, err = syscall.Dup(int(number)) })
		check(t, err)
		check(t, listener.SetTimeout(200*time.Millisecond))
		taken := make(chan struct{})
		time.AfterFunc(100*time.Millisecond, func() {
			defer close(taken)
			if conn, err := net.Dial("tcp", listener.Addr().String()); err == nil {
				defer conn.Close()
				syscall.Accept(fd)
			}
		})
		start := time.Now()
		if _, err = listener.Accept(); err != nil {
			want(t, err, os.ErrDeadlineExceeded)
			took(t, start, 200*time.Millisecond)
		}
		<-taken
		syscall.Close(fd)
	}
}

// A program ends while goroutines of it wait, and dial.
func TestExit(t *testing.T) {
	if os.Getenv("EXIT") != "" {
		conn, _ := pair(t)
		go conn.Read(make([]byte, 1))
		listener := listen(t)
		go listener.Accept()
		time.Sleep(100 * time.Millisecond)
		os.Exit(0)
	}
	within(t, func() {
		command := exec.Command(os.Args[0], "-test.run", "^TestExit$")
		command.Env = append(os.Environ(), "EXIT=1")
		output, err := command.CombinedOutput()
		expect(t, err == nil, string(output), err)
	})
}

func TestBothDirections(t *testing.T) {
	conn, peer := tcp(t)
	sent := make([]byte, 4<<20)
	rand.Read(sent)
	var group sync.WaitGroup
	for _, end := range []*sock.Conn{conn, peer} {
		end := end
		group.Add(2)
		go func() { defer group.Done(); end.Write(sent) }()
		go func() {
			defer group.Done()
			received := make([]byte, len(sent))
			n, err := end.ReadFull(received)
			if n != len(sent) || err != nil || !bytes.Equal(sent, received) {
				t.Error(n, err)
			}
		}()
	}
	group.Wait()
}

// http takes them for its own.
func TestHTTP(t *testing.T) {
	listener := listen(t)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(w, r.Body)
		io.WriteString(w, r.RemoteAddr)
	})}
	go server.Serve(listener)
	client := &http.Client{Transport: &http.Transport{DialContext: sock.Dialer{Timeout: 5 * time.Second}.DialContext}}
	for i := 0; i < 3; i++ {
		response, err := client.Post("http://"+listener.Addr().String(), "text/plain", strings.NewReader("hello "))
		check(t, err)
		body, err := io.ReadAll(response.Body)
		expect(t, strings.HasPrefix(string(body), "hello 127.0.0.1:") && err == nil, string(body), err)
	}
	check(t, server.Shutdown(background))
}
