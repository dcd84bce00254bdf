package sock

// #include <sock.h>
import "C"

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

// Dialer dials as net.Dialer does, for http.Transport and others that take a function.
type Dialer struct {
	// Timeout is that of the connections; 0 is Forever.
	Timeout time.Duration
}

// DialContext is DialContext, and sets the timeout.
func (d Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if d.Timeout != 0 {
		if err := conn.SetTimeout(d.Timeout); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, nil
}

// DialContext connects until the context ends: the lookup of the name, every address, by
// RFC 8305, and the handshake. The network is "tcp", "udp" or "unix"; the port may be a
// name; the path of a Unix socket that begins with "@" is an abstract name. The Conn is in
// blocking mode, and has nothing to do with the context.
//
// A host that is not known is a *net.DNSError, a service a *net.AddrError.
func DialContext(ctx context.Context, network, address string) (*Conn, error) {
	return dial(ctx, network, address, func(host, service *C.char) C.int {
		token := C.sock_token()
		if token < 0 {
			return token
		}
		over, gone := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(gone)
			select {
			case <-ctx.Done():
				C.sock_cancel(token)
			case <-over:
			}
		}()
		fd := C.sock_dial_until(host, service, forever, token) // A thread waits.
		close(over)
		<-gone // So that nobody has the token any more.
		syscall.Close(int(token))
		return fd
	})
}

// DialTimeout connects within so long a time, which becomes the timeout of the Conn. With 0
// that is non-blocking, and only a Unix socket and a number can be connected to, at once.
func DialTimeout(network, address string, timeout time.Duration) (*Conn, error) {
	start := time.Now()
	conn, err := dial(context.Background(), network, address, func(host, service *C.char) C.int {
		return C.sock_dial(host, service, seconds(timeout))
	})
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && errors.Is(err, syscall.ETIMEDOUT) && time.Since(start) >= timeout {
			op.Err = os.ErrDeadlineExceeded // And not the network's own time.
		}
		return nil, err
	}
	if err := conn.SetTimeout(timeout); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

func dial(ctx context.Context, network, address string, f func(host, service *C.char) C.int) (*Conn, error) {
	s, err := func() (*socket, error) {
		if ctx.Err() != nil {
			return nil, contextError{ctx.Err()}
		}
		host, service, err := split(network, address)
		if err != nil {
			return nil, err
		}
		if host == "" {
			host = "localhost"
		}
		return byName("sock_dial", ctx, host, service, f)
	}()
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: name{network, address}, Err: err}
	}
	return &Conn{s, context.Background()}, nil
}

func byName(name string, ctx context.Context, host, service string, f func(host, service *C.char) C.int) (*socket, error) {
	code, err := named(host, service, f)
	switch errno := syscall.Errno(-code); {
	case err != nil:
		return nil, err
	case code >= 0:
		return own(code)
	case errno == syscall.ECANCELED:
		return nil, contextError{ctx.Err()}
	}
	if err := lookupError(code, host, service); err != nil {
		return nil, err
	}
	return nil, result(name, code)
}

// split gives what the library takes for the address of a network.
func split(network, address string) (host, service string, err error) {
	switch network {
	case "unix":
		return path(address), "", nil
	case "tcp", "udp":
		if host, service, err = net.SplitHostPort(address); err != nil {
			return "", "", err
		}
		if service == "" || strings.Contains(service, "/") {
			return "", "", &net.AddrError{Err: "invalid port", Addr: address}
		}
		return host, service + "/" + network, nil
	}
	return "", "", net.UnknownNetworkError(network)
}

// name is an address that is not looked up.
type name struct{ network, address string }

func (n name) Network() string { return n.network }
func (n name) String() string  { return n.address }
