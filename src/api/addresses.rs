//! Addresses as text.

use libc::{c_char, c_int, size_t, sockaddr, sockaddr_storage, socklen_t};

use crate::boundary;
use crate::errno::Errno;
use crate::name::address::Address;

/// Converts text to an address, without a name server.
///
/// @param host     an address of IPv4 or of IPv6, such as "127.0.0.1", "::1", or with a scope "fe80::1%2" or
///                 "fe80::1%eth0"; or a Unix path, which begins with "/"; or an abstract Unix name, which begins
///                 with "@"
/// @param service  the port, from 0 to 65535 in decimals; NULL for a Unix address
/// @param addr     gets the address
/// @param addrlen  gets its length; its value before the call does not matter
///
/// @return 0, or the negative of an error number, to which `errno` is set too:
///   - `-EINVAL`        `host` is NULL or no address: the name of a host, a short form such as "127.1", a scope that
///                      does not exist, "@" alone; or `service` is not a port, or not NULL for a Unix address
///   - `-ENAMETOOLONG`  the Unix path has more than 107 bytes, or the abstract name more than 107 after its "@"
///   - `-EFAULT`        `addr` or `addrlen` is NULL
///   - `-EMFILE`, `-ENFILE`, `-ENOBUFS`, `-ENOMEM`  the name of a scope could not be looked up
///
/// It is for `sock_connect`, `sock_sendto` and bind(2), and for languages that do not have the structs of C. The names
/// of hosts and services are for `sock_dial` and `sock_listen`.
///
/// No system call is made, except to look up the index of an interface that is given by name.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `host` and `service` are NULL or end with a NUL, and `addr` and `addrlen` are NULL or valid for writing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_address(
    host: *const c_char,
    service: *const c_char,
    addr: *mut sockaddr_storage,
    addrlen: *mut socklen_t,
) -> c_int {
    boundary::exit(|| {
        // SAFETY: the caller promises it.
        let (host, service) = unsafe { (boundary::text(host)?, boundary::text(service).ok()) };
        if addr.is_null() || addrlen.is_null() {
            return Err(Errno::FAULT);
        }
        let address = Address::parse(host, service)?;
        // SAFETY: they are not NULL, and the caller promises the rest.
        unsafe { address.write(addr, addrlen) };
        Ok(0)
    })
}

/// Converts an address to text, without a name server.
///
/// @param addr     the address, as accept(2), recvfrom(2), getsockname(2) and getpeername(2) give it
/// @param addrlen  its length
/// @param host     gets the text, which ends with a NUL; or NULL, if only the port is asked for. What
///                 `sock_address` takes for the same address: "127.0.0.1", "::1", "fe80::1%2" with the scope as a
///                 number, the path of a Unix socket, or "@" and its abstract name. A Unix socket without a name
///                 is ""
/// @param size     the room at `host`; 110 is enough for every address
///
/// @return the port, 0 for a Unix address, or the negative of an error number, to which `errno` is set too:
///   - `-ENOSPC`        the text and its NUL do not fit into `size` bytes
///   - `-EINVAL`        `addrlen` is too short for an address of that family, or longer than any; or it is an abstract
///                      name with a NUL in it, or a relative path that begins with "@", which no text stands for
///   - `-EAFNOSUPPORT`  the address is of another family
///   - `-EFAULT`        `addr` is NULL
///
/// A Unix path that is relative stays relative, and `sock_address` does not take it. No system call is made.
///
/// Safe to call from any thread, from a signal handler and after fork.
///
/// # Safety
///
/// `addr` is NULL or valid for reading `addrlen` bytes, and `host` is NULL or valid for writing `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sock_name(
    addr: *const sockaddr,
    addrlen: socklen_t,
    host: *mut c_char,
    size: size_t,
) -> c_int {
    boundary::exit(|| {
        if addr.is_null() {
            return Err(Errno::FAULT);
        }
        // SAFETY: the caller promises it.
        let (text, port) = unsafe { Address::read(addr, addrlen)? }.to_text()?;
        if !host.is_null() {
            // SAFETY: the caller promises it.
            unsafe { text.write(host, size)? };
        }
        Ok(port.into())
    })
}
