// Package sock gives the net package's sockets the modes of libsock: blocking,
// non-blocking, or a timeout that every operation obeys.
//
// It needs libsock (make install), Go 1.19 or later and a C compiler. Copy this
// file into a directory sock of your module. The program beside it is run by
// "go run . HOST PORT".
//
// Go keeps its sockets in O_NONBLOCK, so what New returns is in non-blocking mode.
// A call that waits occupies a thread, as every cgo call does, and holds up no
// other goroutine: the runtime starts threads for them. For thousands of idle
// connections net's own deadlines are the better choice. Signals, the runtime's
// own SIGURG among them, neither end nor prolong a wait, and closing a Conn ends it.
//
// It does not accept, which net does, and is for streams, not for datagrams.
package sock

/*
#cgo LDFLAGS: -lsock
#include <sock.h>
*/
import "C"

import (
	"errors"
	"io"
	"math"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Forever is the timeout of blocking mode.
const Forever time.Duration = math.MaxInt64

// LookupError tells why a lookup failed.
type LookupError int

const (
	NoHost    LookupError = C.LIBSOCK_EAI_NONAME
	TryAgain  LookupError = C.LIBSOCK_EAI_AGAIN
	Failed    LookupError = C.LIBSOCK_EAI_FAIL
	NoAddress LookupError = C.LIBSOCK_EAI_NODATA
	NoService LookupError = C.LIBSOCK_EAI_SERVICE
)

func (e LookupError) Error() string { return C.GoString(C.sock_strerror(C.ssize_t(-e))) }

// Conn is a socket. Its methods may be called by several goroutines at once.
type Conn struct {
	raw   syscall.RawConn
	owner io.Closer
}

// New adopts a *net.TCPConn, *net.UnixConn or *os.File. Except in non-blocking mode,
// use the socket through Conn alone: the net package would block a thread in it.
func New(c interface {
	syscall.Conn
	io.Closer
}) (*Conn, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &Conn{raw, c}, nil
}

// Dial connects by TCP, lookup included, within a timeout that becomes the socket's.
// A lookup that fails is a LookupError.
func Dial(host, service string, timeout time.Duration) (*Conn, error) {
	fd, err := byName("sock_dial", host, service, func(host, service *C.char) int {
		return int(C.sock_dial(host, service, seconds(timeout)))
	})
	if err != nil {
		return nil, err
	}
	return New(os.NewFile(uintptr(fd), net.JoinHostPort(host, service)))
}

// Listen listens at service, "0" for any port, of host, "" for all addresses. With a
// backlog of 0 it is the system's. A lookup that fails is a LookupError.
func Listen(host, service string, backlog int) (net.Listener, error) {
	fd, err := byName("sock_listen", host, service, func(host, service *C.char) int {
		if *host == 0 {
			host = nil
		}
		return int(C.sock_listen(host, service, C.int(backlog)))
	})
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), net.JoinHostPort(host, service))
	defer file.Close() // The listener has a duplicate.
	return net.FileListener(file)
}

// Close ends the calls under way, and closes what New adopted.
func (c *Conn) Close() error {
	err := c.raw.Control(func(fd uintptr) { syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	if err != nil {
		return err
	}
	return c.owner.Close()
}

// SetTimeout sets how long an operation may take: 0 is non-blocking mode, Forever is
// blocking mode.
func (c *Conn) SetTimeout(d time.Duration) error {
	_, err := c.call("sock_settimeout", func(fd C.int) int {
		return int(C.sock_settimeout(fd, seconds(d)))
	})
	return err
}

// Timeout returns the timeout: 0 in non-blocking mode, Forever in blocking mode.
func (c *Conn) Timeout() (time.Duration, error) {
	var seconds C.double
	_, err := c.call("sock_gettimeout", func(fd C.int) int {
		return int(C.sock_gettimeout(fd, &seconds))
	})
	if nanoseconds := math.Round(float64(seconds) * 1e9); nanoseconds < math.MaxInt64 {
		return time.Duration(nanoseconds), err
	}
	return Forever, err
}

// Read implements io.Reader. When nothing has come, the error is syscall.EAGAIN in
// non-blocking mode and os.ErrDeadlineExceeded after the timeout.
func (c *Conn) Read(b []byte) (int, error) {
	n, err := c.call("sock_recv", func(fd C.int) int {
		return int(C.sock_recv(fd, pointer(b), C.size_t(len(b)), 0))
	})
	if n == 0 && err == nil && len(b) > 0 {
		err = io.EOF
	}
	return n, err
}

// Write implements io.Writer: it sends all of b within one timeout. The count is
// exact whatever the error.
func (c *Conn) Write(b []byte) (int, error) {
	var sent C.size_t
	_, err := c.call("sock_sendall", func(fd C.int) int {
		return int(C.sock_sendall(fd, pointer(b), C.size_t(len(b)), 0, &sent))
	})
	return int(sent), err
}

// ReadFull fills b within one timeout. The count is exact whatever the error, which
// at the end of the stream is that of io.ReadFull.
func (c *Conn) ReadFull(b []byte) (int, error) {
	var received C.size_t
	_, err := c.call("sock_recvall", func(fd C.int) int {
		return int(C.sock_recvall(fd, pointer(b), C.size_t(len(b)), 0, &received))
	})
	if errors.Is(err, syscall.EPIPE) {
		if err = io.ErrUnexpectedEOF; received == 0 {
			err = io.EOF
		}
	}
	return int(received), err
}

// call makes a call of the library while the socket cannot be closed, and makes its code an error.
func (c *Conn) call(name string, f func(fd C.int) int) (n int, err error) {
	if err := c.raw.Control(func(fd uintptr) { n = f(C.int(fd)) }); err != nil {
		return 0, err
	}
	return result(name, n)
}

// byName makes a call of the library that takes names.
func byName(name, host, service string, f func(host, service *C.char) int) (int, error) {
	h, err := syscall.BytePtrFromString(host) // Which refuses a NUL.
	if err != nil {
		return 0, os.NewSyscallError(name, err)
	}
	s, err := syscall.BytePtrFromString(service)
	if err != nil {
		return 0, os.NewSyscallError(name, err)
	}
	return result(name, f((*C.char)(unsafe.Pointer(h)), (*C.char)(unsafe.Pointer(s))))
}

// result makes a code an error.
func result(name string, n int) (int, error) {
	const lastErrno = 4095 // The highest that an error of Linux can have.
	switch errno := syscall.Errno(-n); {
	case n >= 0:
		return n, nil
	case -n > lastErrno:
		return 0, os.NewSyscallError(name, LookupError(-n))
	case errno == syscall.ETIMEDOUT:
		return 0, os.NewSyscallError(name, os.ErrDeadlineExceeded)
	default:
		return 0, os.NewSyscallError(name, errno)
	}
}

func seconds(d time.Duration) C.double {
	if d == Forever {
		return C.double(math.Inf(1))
	}
	return C.double(d.Seconds())
}

func pointer(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Pointer(&b[0])
}
