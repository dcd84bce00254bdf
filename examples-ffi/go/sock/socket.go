package sock

/*
#define _GNU_SOURCE
#include <poll.h>
#include <sock.h>

// Go cannot make the unions of pointers that glibc declares.
static int local(int fd, struct sockaddr *addr, socklen_t *size) { return getsockname(fd, addr, size); }
static int remote(int fd, struct sockaddr *addr, socklen_t *size) { return getpeername(fd, addr, size); }
*/
import "C"

import (
	"net"
	"os"
	"syscall"
	"time"
)

// socket is what a Conn and a Listener have in common.
type socket struct {
	owner            Owner
	raw              syscall.RawConn
	reading, writing half
	family, kind     int
	local, remote    net.Addr
	unread           []byte // What came behind a line; of who has the turn to read.
}

// adopt leaves the owner alone if it fails.
func adopt(owner Owner) (*socket, error) {
	raw, err := owner.SyscallConn()
	if err != nil {
		return nil, err
	}
	for _, set := range [...]func(time.Time) error{owner.SetReadDeadline, owner.SetWriteDeadline} {
		if err := set(time.Time{}); err != nil {
			return nil, err // The poller does not know it.
		}
	}
	s := &socket{owner: owner, raw: raw}
	if err := s.control("sock_setblocking", s.describe); err != nil {
		return nil, err
	}
	s.reading = half{raw: raw.Read, set: owner.SetReadDeadline, events: C.POLLIN | C.POLLRDHUP}
	s.writing = half{raw: raw.Write, set: owner.SetWriteDeadline, events: C.POLLOUT, blind: s.family == syscall.AF_UNIX}
	return s, nil
}

// own makes a socket of a descriptor of the library's. It is closed when the socket is dropped, as an os.File is.
func own(fd int) (*socket, error) {
	if err := syscall.SetNonblock(fd, true); err != nil { // os.NewFile then tells the poller of it.
		syscall.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(fd), "socket")
	s, err := adopt(file)
	if err != nil {
		file.Close()
	}
	return s, err
}

func (s *socket) describe(fd C.int) C.int {
	code := C.sock_setblocking(fd, 1)
	if code < 0 {
		return code
	}
	s.family, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_DOMAIN)
	s.kind, _ = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE)
	if conn, ok := s.owner.(net.Conn); ok {
		s.local, s.remote = conn.LocalAddr(), conn.RemoteAddr()
		return 0
	}
	var local, remote address
	local.size, remote.size = C.sizeof_struct_sockaddr_storage, C.sizeof_struct_sockaddr_storage
	C.local(fd, local.pointer(), &local.size)
	s.local = local.addr(s.kind, s.family)
	if C.remote(fd, remote.pointer(), &remote.size) == 0 {
		s.remote = remote.addr(s.kind, s.family)
	}
	return 0
}

// SyscallConn implements syscall.Conn, for options. What waits there does not obey the mode.
func (s *socket) SyscallConn() (syscall.RawConn, error) { return s.raw, nil }

// SetTimeout sets how long an operation may take: 0 is non-blocking mode, Forever is
// blocking mode. It belongs to the socket: all its duplicates have it, in every process.
func (s *socket) SetTimeout(d time.Duration) error {
	return s.call("set", "sock_settimeout", func(fd C.int) C.int { return C.sock_settimeout(fd, seconds(d)) })
}

// Timeout returns the timeout: 0 in non-blocking mode, Forever in blocking mode.
func (s *socket) Timeout() (d time.Duration, err error) {
	err = s.call("get", "sock_gettimeout", func(fd C.int) (code C.int) {
		d, code = timeoutOf(fd)
		return code
	})
	return d, err
}

// Close implements net.Conn and net.Listener. Whoever waits gets net.ErrClosed.
func (s *socket) Close() error {
	if s.owner.Close() != nil {
		return s.fail("close", net.ErrClosed)
	}
	return nil
}

func (s *socket) deadline(h *half, t time.Time) error {
	if h.setDeadline(t) != nil {
		return s.fail("set", net.ErrClosed)
	}
	return nil
}

// open fails once the socket is closed.
func (s *socket) open(op string) error {
	return s.call(op, "", func(C.int) C.int { return 0 })
}

// call makes a call while the socket cannot be closed.
func (s *socket) call(op, name string, f func(fd C.int) C.int) error {
	if err := s.control(name, f); err != nil {
		return s.fail(op, err)
	}
	return nil
}

func (s *socket) control(name string, f func(fd C.int) C.int) error {
	var code C.int
	if s.raw.Control(func(fd uintptr) { code = f(C.int(fd)) }) != nil {
		return net.ErrClosed
	}
	return result(name, int(code))
}

// count makes a result what Read and Write return.
func (s *socket) count(op string, code int, err error) (int, error) {
	if err == nil {
		err = result("sock_"+op, code)
	}
	if err != nil {
		return 0, s.fail(op, err)
	}
	return code, nil
}

func (s *socket) fail(op string, err error) error {
	return &net.OpError{Op: op, Net: network(s.kind, s.family), Source: s.local, Addr: s.remote, Err: err}
}
