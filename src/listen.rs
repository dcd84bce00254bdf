//! Listening on the addresses of a host.

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};

use libc::{addrinfo, c_int};

use crate::errno::{Errno, Result};
use crate::lookup;
use crate::{options, sys};

/// A socket that listens on the first of the host's addresses that it can; without a host, on all of
/// the machine's.
pub fn listen(host: Option<&CStr>, service: &CStr, backlog: c_int) -> Result<OwnedFd> {
    let addresses = lookup::own(host, service)?;
    if host.is_none() {
        let all_of = |family| match addresses.iter().find(|address| address.ai_family == family) {
            Some(address) => listen_at(address, false, backlog),
            None => Err(Errno::AFNOSUPPORT),
        };
        return match all_of(libc::AF_INET6) {
            Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => all_of(libc::AF_INET), // This machine has no IPv6.
            result => result,
        };
    }
    let mut first_failure = None;
    for address in addresses.iter() {
        match listen_at(address, true, backlog) {
            Err(error) => _ = first_failure.get_or_insert(error),
            listener => return listener,
        }
    }
    Err(first_failure.unwrap_or(Errno::NODATA))
}

fn listen_at(address: &addrinfo, only_v6: bool, backlog: c_int) -> Result<OwnedFd> {
    let socket = sys::socket(address.ai_family, address.ai_socktype, address.ai_protocol)?;
    options::reuse_address(socket.as_fd())?;
    if address.ai_family == libc::AF_INET6 {
        options::set_only_v6(socket.as_fd(), only_v6)?;
    }
    sys::bind(socket.as_fd(), address.ai_addr, address.ai_addrlen)?;
    // The kernel cuts it to net.core.somaxconn.
    sys::listen(socket.as_fd(), if backlog > 0 { backlog } else { c_int::MAX })?;
    Ok(socket)
}
