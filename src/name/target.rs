//! A host and a service as the caller wrote them, checked before they are looked up.

use std::ffi::CStr;

use libc::c_int;

use super::address::{self, Address};
use crate::errno::{Errno, Result};

/// Room for the name of a host, and of a service: the sizes of getnameinfo(3).
pub const HOST: usize = 1025;
const SERVICE: usize = 32;

/// What to connect to, or to listen on.
pub enum Target<'text> {
    Unix(Address),
    /// Without a host, all addresses of this machine.
    Internet(Option<&'text CStr>, Service),
}

impl<'text> Target<'text> {
    pub fn parse(host: Option<&'text CStr>, service: Option<&CStr>) -> Result<Target<'text>> {
        match (host, service) {
            (Some(host), None) if address::is_unix(host) => Address::unix(host).map(Target::Unix),
            (Some(host), Some(_)) if address::is_unix(host) => Err(Errno::INVAL),
            (_, None) => Err(Errno::INVAL),
            (host, Some(service)) => {
                host.map_or(Ok(()), check_host)?;
                Ok(Target::Internet(host, Service::parse(service)?))
            }
        }
    }
}

// These checks are needed because resolvers ask the network for names that no host can have, take "*" for no host, and
// take " 80", "+80" and "65616" for 80.

fn check_host(host: &CStr) -> Result<()> {
    match host.to_bytes() {
        [] => Err(Errno::INVAL),
        b"*" => Err(Errno::NONAME),
        name if name.len() >= HOST || !is_word(name) => Err(Errno::NONAME),
        _ => Ok(()),
    }
}

/// Whether a host can only be a numeric address: it has a character that no name has.
pub fn must_be_numeric(host: &CStr) -> bool {
    host.to_bytes().iter().any(|byte| b":%".contains(byte))
}

fn is_word(text: &[u8]) -> bool {
    !text.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    /// The type and the protocol of its sockets.
    pub fn numbers(self) -> (c_int, c_int) {
        match self {
            Protocol::Tcp => (libc::SOCK_STREAM, libc::IPPROTO_TCP),
            Protocol::Udp => (libc::SOCK_DGRAM, libc::IPPROTO_UDP),
        }
    }
}

/// A port, or the name of a service, and its protocol, as services(5) writes them: "80", "http", "domain/udp".
#[derive(Clone, Copy)]
pub struct Service {
    name: [u8; SERVICE],
    pub protocol: Protocol,
}

impl Service {
    pub fn parse(text: &CStr) -> Result<Service> {
        let mut parts = text.to_bytes().splitn(2, |byte| *byte == b'/');
        let name = parts.next().unwrap_or_default();
        let protocol = match parts.next() {
            _ if name.is_empty() => return Err(Errno::INVAL),
            None | Some(b"tcp") => Protocol::Tcp,
            Some(b"udp") => Protocol::Udp,
            Some(_) => return Err(Errno::SERVICE),
        };
        let is_valid = if name.iter().all(u8::is_ascii_digit) {
            address::port(name).is_some()
        } else {
            is_word(name) && name.iter().any(u8::is_ascii_alphabetic)
        };
        if name.len() >= SERVICE || !is_valid {
            return Err(Errno::SERVICE);
        }
        Ok(Service { name: address::copy(name), protocol })
    }

    pub fn name(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.name).unwrap_or_default()
    }
}
