//! Listening on the addresses of a host.

use std::os::fd::OwnedFd;

use libc::{addrinfo, c_int, sockaddr_in6};

use super::address::Address;
use super::lookup;
use super::target::{Protocol, Target};
use crate::errno::{Errno, Result};
use crate::{options, sys};

/// Whether a listener of IPv6 accepts connections of IPv4 too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Families {
    Own,
    DualStack,
}

/// Makes a socket that listens on the first possible address of the host, or, without a host, on all addresses of this
/// machine. A socket of UDP is only bound.
pub fn listen(target: &Target, backlog: c_int) -> Result<OwnedFd> {
    // The kernel limits it to net.core.somaxconn.
    let backlog = if backlog > 0 { backlog } else { c_int::MAX };
    match target {
        Target::Unix(address) => listen_at_unix(address, backlog),
        Target::Internet(host, service) => {
            let addresses = lookup::resolve_local(*host, service)?;
            let listen_at = |address: &addrinfo, families| {
                let socket = bind(address, service.protocol, families)?;
                if service.protocol == Protocol::Tcp {
                    sys::listen(sys::lend(&socket), backlog)?;
                }
                Ok(socket)
            };
            if host.is_some() {
                return first(addresses.iter(), |address| listen_at(address, Families::Own));
            }
            let all_of = |family| match addresses.iter().find(|address| address.ai_family == family) {
                Some(address) => listen_at(address, Families::DualStack),
                None => Err(Errno::AFNOSUPPORT),
            };
            match all_of(libc::AF_INET6) {
                // This machine has no IPv6, or a policy refuses it.
                Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL | Errno::PERM | Errno::ACCES) => all_of(libc::AF_INET),
                result => result,
            }
        }
    }
}

fn listen_at_unix(address: &Address, backlog: c_int) -> Result<OwnedFd> {
    let socket = sys::socket(libc::AF_UNIX, libc::SOCK_STREAM, 0)?;
    sys::bind(sys::lend(&socket), address.as_ptr(), address.len())?;
    sys::listen(sys::lend(&socket), backlog)?;
    Ok(socket)
}

/// Listens on the first address on which that is possible. If none is, the error is that of the first address.
fn first<'list>(
    mut addresses: impl Iterator<Item = &'list addrinfo>,
    listen_at: impl Fn(&addrinfo) -> Result<OwnedFd>,
) -> Result<OwnedFd> {
    let Some(address) = addresses.next() else { return Err(Errno::NODATA) };
    listen_at(address).or_else(|error| addresses.find_map(|address| listen_at(address).ok()).ok_or(error))
}

fn bind(address: &addrinfo, protocol: Protocol, families: Families) -> Result<OwnedFd> {
    let socket = sys::socket(address.ai_family, address.ai_socktype, address.ai_protocol)?;
    // Not for UDP: it would let two sockets be bound to one port.
    if protocol == Protocol::Tcp {
        options::reuse_address(sys::lend(&socket))?;
    }
    if address.ai_family == libc::AF_INET6 {
        // An IPv4 address in the form of IPv6 needs a dual-stack socket.
        options::set_only_v6(sys::lend(&socket), families == Families::Own && !is_v4_mapped(address))?;
    }
    sys::bind(sys::lend(&socket), address.ai_addr, address.ai_addrlen)?;
    Ok(socket)
}

fn is_v4_mapped(address: &addrinfo) -> bool {
    // SAFETY: an address of IPv6, for which the resolver has aligned it.
    let address = unsafe { address.ai_addr.cast::<sockaddr_in6>().as_ref() };
    address.is_some_and(|address| address.sin6_addr.s6_addr.starts_with(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]))
}
