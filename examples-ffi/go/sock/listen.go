package sock

// #include <sock.h>
import "C"

import (
	"context"
	"net"
	"os"
	"time"
)

// Listener accepts connections. Several goroutines may use it at once.
type Listener struct {
	*socket
	ctx  context.Context
	file string // Of a Unix socket: it is removed when the Listener is closed.
}

var _ net.Listener = (*Listener)(nil)

// ListenContext listens, in blocking mode. The network is "tcp" or "unix". No host is all
// addresses, port 0 one that is free. The context is for the lookup of a name.
func ListenContext(ctx context.Context, network, address string) (*Listener, error) {
	s, err := listen(ctx, network, address, network != "udp")
	if err != nil {
		return nil, err
	}
	l := &Listener{socket: s, ctx: context.Background()}
	if network == "unix" && s.local.String()[0] == '/' {
		l.file = s.local.String()
	}
	return l, nil
}

// ListenPacketContext gives a Conn that receives what is sent to an address. The network is "udp".
func ListenPacketContext(ctx context.Context, network, address string) (*Conn, error) {
	s, err := listen(ctx, network, address, network == "udp")
	if err != nil {
		return nil, err
	}
	return &Conn{s, context.Background()}, nil
}

func listen(ctx context.Context, network, address string, fits bool) (*socket, error) {
	s, err := func() (*socket, error) {
		if ctx.Err() != nil {
			return nil, contextError{ctx.Err()}
		}
		host, service, err := split(network, address)
		if err == nil && !fits {
			err = net.UnknownNetworkError(network)
		}
		if err != nil {
			return nil, err
		}
		made := make(chan func() (*socket, error), 1)
		go func() { // A lookup takes as long as it takes.
			s, err := byName("sock_listen", ctx, host, service, func(host, service *C.char) C.int {
				return C.sock_listen(host, service, 0)
			})
			made <- func() (*socket, error) { return s, err }
		}()
		select {
		case result := <-made:
			return result()
		case <-ctx.Done(): // What is made then, is dropped.
			return nil, contextError{ctx.Err()}
		}
	}()
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: name{network, address}, Err: err}
	}
	return s, nil
}

// WithContext gives the same Listener, whose Accept ends when the context does.
func (l *Listener) WithContext(ctx context.Context) *Listener {
	return &Listener{l.socket, ctx, l.file}
}

// Accept implements net.Listener; it gives a *Conn.
func (l *Listener) Accept() (net.Conn, error) {
	conn, err := l.AcceptConn()
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// AcceptConn gives a connection in blocking mode.
func (l *Listener) AcceptConn() (*Conn, error) {
	var from address
	fd, err := l.reading.run(l.ctx, func(fd C.int, u until) int {
		from.size = C.sizeof_struct_sockaddr_storage
		return int(C.sock_accept_until(fd, from.pointer(), &from.size, u.deadline, u.token))
	})
	if fd, err = l.count("accept", fd, err); err != nil {
		return nil, err
	}
	s, err := own(fd)
	if err != nil {
		return nil, l.fail("accept", err)
	}
	s.remote = from.addr(s.kind, s.family) // Which getpeername(2) does not tell once the peer has reset it.
	return &Conn{s, context.Background()}, nil
}

// Addr implements net.Listener.
func (l *Listener) Addr() net.Addr { return l.local }

// SetDeadline ends what waits at that moment, as it does for net.TCPListener.
func (l *Listener) SetDeadline(t time.Time) error { return l.deadline(&l.reading, t) }

// Close implements net.Listener. Whoever waits gets net.ErrClosed.
func (l *Listener) Close() error {
	if err := l.socket.Close(); err != nil {
		return err
	}
	if l.file != "" {
		os.Remove(l.file)
	}
	return nil
}
