package sock

// #include <sock.h>
import "C"

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"unsafe"
)

// address is one of C.
type address struct {
	storage C.struct_sockaddr_storage
	size    C.socklen_t
}

func (a *address) pointer() *C.struct_sockaddr {
	return (*C.struct_sockaddr)(unsafe.Pointer(&a.storage))
}

// addr gives what the net package has for an address; for one without a text, that without a name.
func (a *address) addr(kind, family int) net.Addr {
	var text [110]C.char
	var host string
	port := C.sock_name(a.pointer(), a.size, &text[0], C.size_t(len(text)))
	if port >= 0 {
		host = C.GoString(&text[0])
	}
	ip, _ := netip.ParseAddr(host)
	switch {
	case family == syscall.AF_UNIX:
		return &net.UnixAddr{Name: host, Net: network(kind, family)}
	case kind == syscall.SOCK_STREAM:
		return net.TCPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port)))
	default:
		return net.UDPAddrFromAddrPort(netip.AddrPortFrom(ip, uint16(port)))
	}
}

// pack makes an address for a socket of a family.
func pack(addr net.Addr, family int) (*address, error) {
	if addr == nil {
		return nil, syscall.EDESTADDRREQ
	}
	host, service := addr.String(), ""
	if unix, ok := addr.(*net.UnixAddr); ok {
		host = path(unix.Name)
	} else {
		var err error
		if host, service, err = net.SplitHostPort(host); err != nil {
			return nil, err
		}
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is4() && family == syscall.AF_INET6 {
		host = "::ffff:" + host
	}
	a := new(address)
	code, err := named(host, service, func(host, service *C.char) C.int {
		return C.sock_address(host, service, &a.storage, &a.size)
	})
	if err == nil {
		err = result("sock_address", code)
	}
	return a, err
}

// named makes a call that takes names, and refuses those with a NUL, which C would cut there. An empty one is NULL.
func named(host, service string, f func(host, service *C.char) C.int) (int, error) {
	h, err := text(host)
	if err != nil {
		return 0, err
	}
	s, err := text(service)
	if err != nil {
		return 0, err
	}
	return int(f(h, s)), nil
}

func text(s string) (*C.char, error) {
	if s == "" {
		return nil, nil
	}
	b, err := syscall.BytePtrFromString(s)
	if err != nil {
		return nil, &net.AddrError{Err: "name with a NUL", Addr: strings.ReplaceAll(s, "\x00", `\x00`)}
	}
	return (*C.char)(unsafe.Pointer(b)), nil
}

// path makes a relative one absolute, for such begin with "/" in the library.
func path(name string) string {
	if name == "" || name[0] == '/' || name[0] == '@' {
		return name
	}
	if directory, err := os.Getwd(); err == nil {
		return filepath.Join(directory, name)
	}
	return name
}

func network(kind, family int) string {
	switch {
	case family == syscall.AF_UNIX && kind == syscall.SOCK_DGRAM:
		return "unixgram"
	case family == syscall.AF_UNIX && kind == syscall.SOCK_SEQPACKET:
		return "unixpacket"
	case family == syscall.AF_UNIX:
		return "unix"
	case kind == syscall.SOCK_DGRAM:
		return "udp"
	}
	return "tcp"
}
