// Package sock has sockets with the modes of libsock: blocking, non-blocking, or a
// timeout that every operation obeys. A Conn is a net.Conn and a net.PacketConn, a
// Listener a net.Listener, with all that these promise.
//
// It needs libsock with its pkg-config file (make install), Go 1.19 or later and a C
// compiler. Copy this directory into your module. README.md beside it tells how it is
// used, and what it does not do.
package sock

/*
#cgo pkg-config: libsock
#include <poll.h>
#include <sock.h>
*/
import "C"

import (
	"context"
	"io"
	"math"
	"net"
	"syscall"
	"time"
	"unsafe"
)

const (
	// Forever is the timeout of blocking mode.
	Forever time.Duration = math.MaxInt64

	// What a step of a whole transfer moves at most: between two, deadlines are looked at.
	step = 1 << 20

	// The room for a line: at first, and the most that ReadLine takes.
	shortest = 4 << 10
	longest  = 64 << 10
)

// Owner has a descriptor that Go's poller knows: *net.TCPConn, *net.UDPConn, *net.UnixConn,
// and *os.File if it was made of a socket in O_NONBLOCK.
type Owner interface {
	syscall.Conn
	io.Closer
	SetReadDeadline(time.Time) error
	SetWriteDeadline(time.Time) error
}

// Conn is a socket. Several goroutines may use it at once: operations in one direction
// take turns, so that concurrent writes do not interleave.
type Conn struct {
	*socket
	ctx context.Context
}

var (
	_ net.Conn       = (*Conn)(nil)
	_ net.PacketConn = (*Conn)(nil)
	_ syscall.Conn   = (*Conn)(nil)
)

// New adopts a socket, in blocking mode, and closes it when it is closed or dropped. From
// then on use the socket through the Conn alone. A connection of TLS is no Owner: its bytes
// would go past TLS.
func New(owner Owner) (*Conn, error) {
	s, err := adopt(owner)
	if err != nil {
		return nil, &net.OpError{Op: "adopt", Net: "sock", Err: err}
	}
	return &Conn{s, context.Background()}, nil
}

// WithContext gives the same socket, whose operations end when the context does. The
// deadlines and the timeout hold besides.
func (c *Conn) WithContext(ctx context.Context) *Conn { return &Conn{c.socket, ctx} }

// Read implements net.Conn. In non-blocking mode the error is syscall.EAGAIN if nothing
// has come, after the timeout or the deadline it is os.ErrDeadlineExceeded, and when
// somebody closes the Conn meanwhile net.ErrClosed.
func (c *Conn) Read(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, c.open("read")
	}
	n, err = c.reading.run(c.ctx, func(fd C.int, u until) int {
		if n := c.take(b); n > 0 {
			return n
		}
		return int(C.sock_recv_until(fd, unsafe.Pointer(&first(b)[0]), C.size_t(len(b)), u.flags, u.deadline, u.token))
	})
	if n == 0 && err == nil && c.kind != syscall.SOCK_DGRAM && c.kind != syscall.SOCK_RAW {
		return 0, io.EOF
	}
	return c.count("read", n, err)
}

// ReadFull fills b within one timeout. The count is exact whatever the error, which at the
// end of the stream is that of io.ReadFull.
func (c *Conn) ReadFull(b []byte) (n int, err error) {
	if len(b) == 0 {
		return 0, c.open("read")
	}
	code, err := c.reading.run(c.ctx, func(fd C.int, u until) int {
		n += c.take(b[n:])
		if n == len(b) {
			return 0
		}
		var came C.size_t
		code := int(C.sock_recvall_until(fd, unsafe.Pointer(&first(b[n:])[0]), chunk(b[n:]), u.flags, &came, u.deadline, u.token))
		if n += int(came); code == 0 && n < len(b) {
			return again
		}
		return code
	})
	if code == -int(syscall.EPIPE) && n == 0 {
		return 0, io.EOF
	} else if code == -int(syscall.EPIPE) {
		return n, io.ErrUnexpectedEOF
	}
	_, err = c.count("read", code, err)
	return n, err
}

// ReadLine gives a line with its end, of 64 KiB at most.
func (c *Conn) ReadLine() ([]byte, error) { return c.ReadDelim("\n", longest) }

// ReadDelim gives what comes up to and with the delimiter. What comes behind it is for the
// next read, and so is what an error leaves: io.ErrUnexpectedEOF at the end of the stream,
// syscall.EMSGSIZE where the delimiter is not within max bytes.
func (c *Conn) ReadDelim(delim string, max int) (line []byte, err error) {
	if delim == "" || max < 0 {
		return nil, c.fail("read", syscall.EINVAL)
	}
	size := shortest
	code, err := c.reading.run(c.ctx, func(fd C.int, u until) int {
		if size > max {
			size = max
		}
		if size < len(c.unread) {
			size = len(c.unread)
		}
		if size > cap(c.unread) {
			c.unread = append(make([]byte, 0, size), c.unread...)
		}
		have := C.size_t(len(c.unread))
		code := int(C.sock_recvdelim_until(fd, unsafe.Pointer(&first(c.unread[:size])[0]), C.size_t(size), &have,
			unsafe.Pointer(&[]byte(delim)[0]), C.size_t(len(delim)), u.deadline, u.token))
		c.unread = c.unread[:have]
		switch {
		case code > max:
			return -int(syscall.EMSGSIZE)
		case code > 0:
			line = make([]byte, code)
			c.take(line)
		case code == -int(syscall.EMSGSIZE) && size < max:
			size *= 2
			return again
		}
		return code
	})
	if code == -int(syscall.EPIPE) {
		return nil, io.ErrUnexpectedEOF
	} else if code == 0 && err == nil {
		return nil, io.EOF
	}
	_, err = c.count("read", code, err)
	return line, err
}

// take moves what came behind a line.
func (c *Conn) take(b []byte) int {
	n := copy(b, c.unread)
	c.unread = c.unread[:copy(c.unread, c.unread[n:])]
	return n
}

// ReadFrom implements net.PacketConn.
func (c *Conn) ReadFrom(b []byte) (int, net.Addr, error) {
	if len(b) == 0 {
		return 0, nil, c.open("read")
	}
	var from address
	n, err := c.reading.run(c.ctx, func(fd C.int, u until) int {
		from.size = C.sizeof_struct_sockaddr_storage
		return int(C.sock_recvfrom_until(fd, unsafe.Pointer(&first(b)[0]), C.size_t(len(b)), u.flags, from.pointer(), &from.size,
			u.deadline, u.token))
	})
	if n, err = c.count("read", n, err); err != nil {
		return 0, nil, err
	}
	return n, from.addr(c.kind, c.family), nil
}

// Write implements net.Conn: it sends all of b within one timeout, or b as one message. The
// count is exact whatever the error.
func (c *Conn) Write(b []byte) (n int, err error) {
	if c.kind != syscall.SOCK_STREAM {
		return c.send(b, nil, 0)
	}
	code, err := c.writing.run(c.ctx, func(fd C.int, u until) int {
		var went C.size_t
		code := int(C.sock_sendall_until(fd, unsafe.Pointer(&first(b[n:])[0]), chunk(b[n:]), u.flags, &went, u.deadline, u.token))
		if n += int(went); code == 0 && n < len(b) {
			return again
		}
		return code
	})
	_, err = c.count("write", code, err)
	return n, err
}

// WriteTo implements net.PacketConn. The address is a *net.UDPAddr, a *net.UnixAddr, or says
// what one would say.
func (c *Conn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := pack(addr, c.family)
	if err != nil {
		return 0, c.fail("write", err)
	}
	return c.send(b, to.pointer(), to.size)
}

func (c *Conn) send(b []byte, to *C.struct_sockaddr, size C.socklen_t) (int, error) {
	n, err := c.writing.run(c.ctx, func(fd C.int, u until) int {
		return int(C.sock_sendto_until(fd, unsafe.Pointer(&first(b)[0]), C.size_t(len(b)), u.flags, to, size, u.deadline, u.token))
	})
	return c.count("write", n, err)
}

// CloseRead and CloseWrite shut down one direction.
func (c *Conn) CloseRead() error { return c.shutdown(syscall.SHUT_RD) }

// CloseWrite is the end of the stream for the peer.
func (c *Conn) CloseWrite() error { return c.shutdown(syscall.SHUT_WR) }

func (c *Conn) shutdown(how int) error {
	return c.call("close", "shutdown", func(fd C.int) C.int {
		if err, ok := syscall.Shutdown(int(fd), how).(syscall.Errno); ok {
			return -C.int(err)
		}
		return 0
	})
}

// LocalAddr implements net.Conn.
func (c *Conn) LocalAddr() net.Addr { return c.local }

// RemoteAddr implements net.Conn: nil if the socket is not connected.
func (c *Conn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline implements net.Conn. A deadline holds for all operations, those that wait already among them.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline implements net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.deadline(&c.reading, t) }

// SetWriteDeadline implements net.Conn.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.deadline(&c.writing, t) }

func chunk(b []byte) C.size_t {
	if len(b) > step {
		return step
	}
	return C.size_t(len(b))
}

// first is for &first(b)[0], which cgo sees to be the address of bytes only if it is in the call itself: of another
// pointer it looks through all of the object that b is a part of.
func first(b []byte) []byte {
	if len(b) == 0 {
		return []byte{0}
	}
	return b
}
