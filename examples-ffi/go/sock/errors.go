package sock

// #include <sock.h>
import "C"

import (
	"context"
	"net"
	"os"
	"syscall"
)

// result makes an error of a result of the library.
func result(name string, code int) error {
	if code >= 0 {
		return nil
	}
	return os.NewSyscallError(name, syscall.Errno(-code))
}

// lookupError makes one of the code of a lookup, or gives nil for an error number.
func lookupError(code int, host, service string) error {
	words := C.GoString(C.sock_strerror(C.ssize_t(code)))
	switch -code {
	case C.LIBSOCK_EAI_NONAME, C.LIBSOCK_EAI_NODATA:
		return &net.DNSError{Err: words, Name: host, IsNotFound: true}
	case C.LIBSOCK_EAI_AGAIN:
		return &net.DNSError{Err: words, Name: host, IsTemporary: true}
	case C.LIBSOCK_EAI_FAIL:
		return &net.DNSError{Err: words, Name: host}
	case C.LIBSOCK_EAI_SERVICE:
		return &net.AddrError{Err: words, Addr: service}
	}
	return nil
}

// contextError is the end of a context. If that was its deadline, it is a timeout as any other.
type contextError struct{ error }

func (e contextError) Unwrap() error   { return e.error }
func (e contextError) Timeout() bool   { return e.error == context.DeadlineExceeded }
func (e contextError) Temporary() bool { return e.Timeout() }

func (e contextError) Is(target error) bool {
	return e.Timeout() && target == os.ErrDeadlineExceeded
}
