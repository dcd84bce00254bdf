//! Any text as a host and a service, and any bytes as an address. What is read is what Rust's std reads, what is written
//! is read again as the same, and nothing is written beyond its room.

#![no_main]

use std::ffi::CString;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6};
use std::ptr::null;

use libc::{c_int, sockaddr_storage, socklen_t};
use libfuzzer_sys::fuzz_target;

const ROOM: usize = 110;

fn read(host: &CString, service: Option<&CString>) -> Result<(sockaddr_storage, socklen_t), c_int> {
    // SAFETY: all zero is a valid sockaddr_storage, the strings end with a NUL, and the other pointers are to locals.
    unsafe {
        let (mut addr, mut len): (sockaddr_storage, socklen_t) = (std::mem::zeroed(), 0);
        match sock::sock_address(
            host.as_ptr(),
            service.map_or(null(), |service| service.as_ptr()),
            &raw mut addr,
            &raw mut len,
        ) {
            0 => Ok((addr, len)),
            code => Err(-code),
        }
    }
}

fn write(addr: &[u8], len: socklen_t, size: usize) -> Result<(CString, c_int), c_int> {
    let mut text = vec![b'#'; size];
    // SAFETY: the pointers are to so many bytes.
    let port = unsafe { sock::sock_name(addr.as_ptr().cast(), len, text.as_mut_ptr().cast(), size) };
    if port < 0 {
        return Err(-port);
    }
    let end = text.iter().position(|byte| *byte == 0).expect("a NUL");
    text.truncate(end);
    Ok((CString::new(text).unwrap(), port))
}

fn bytes(addr: &sockaddr_storage) -> &[u8] {
    // SAFETY: an address has so many bytes.
    unsafe { std::slice::from_raw_parts((&raw const *addr).cast(), size_of::<sockaddr_storage>()) }
}

fn port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(())?;
    let digits = text.trim_start_matches('0');
    if text.is_empty() {
        None
    } else if digits.is_empty() {
        Some(0)
    } else {
        digits.parse().ok()
    }
}

/// As std has it; a scope is a number of 32 bits.
fn expected(host: &str, service: &str) -> Option<SocketAddr> {
    let port = port(service)?;
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Some((address, port).into());
    }
    let (address, scope) = host.split_once('%').unwrap_or((host, "0"));
    let digits = scope.trim_start_matches('0');
    let index = match digits {
        _ if scope.is_empty() || !scope.bytes().all(|byte| byte.is_ascii_digit()) => return None,
        "" => 0,
        digits => digits.parse().ok()?,
    };
    Some(SocketAddrV6::new(address.parse().ok()?, port, 0, index).into())
}

fn text(host: CString, service: Option<CString>) {
    let found = read(&host, service.as_ref());
    if let Ok((addr, len)) = &found {
        let (name, port) = write(bytes(addr), *len, ROOM).expect("what was read can be written");
        let service = service.as_ref().map(|_| CString::new(port.to_string()).unwrap());
        let (again, length) = read(&name, service.as_ref()).expect("and read again");
        assert!(bytes(&again) == bytes(addr) && length == *len, "{host:?} became {name:?}");
    }
    let (Ok(host), Some(Ok(service))) = (host.to_str(), service.as_ref().map(|service| service.to_str())) else {
        return;
    };
    // An interface may have any name.
    if !host.contains('%') || found.is_ok() && expected(host, service).is_some() {
        let found = found.ok().map(|(addr, len)| {
            // SAFETY: it is an address of that length.
            unsafe { socket(&addr, len) }
        });
        assert_eq!(found, expected(host, service), "{host:?} {service:?}");
    }
}

unsafe fn socket(addr: &sockaddr_storage, len: socklen_t) -> SocketAddr {
    assert!(len == 16 || len == 28);
    // SAFETY: it is an address of IPv4 or of IPv6.
    unsafe {
        if len == 16 {
            let addr = &*(&raw const *addr).cast::<libc::sockaddr_in>();
            (Ipv4Addr::from(u32::from_be(addr.sin_addr.s_addr)), u16::from_be(addr.sin_port)).into()
        } else {
            let addr = &*(&raw const *addr).cast::<libc::sockaddr_in6>();
            SocketAddrV6::new(addr.sin6_addr.s6_addr.into(), u16::from_be(addr.sin6_port), 0, addr.sin6_scope_id).into()
        }
    }
}

fuzz_target!(|input: (CString, Option<CString>, Vec<u8>, u8)| {
    let (host, service, mut addr, size) = input;
    text(host, service);
    addr.truncate(size_of::<sockaddr_storage>());
    addr.shrink_to_fit();
    let len = addr.len() as socklen_t;
    if let Ok((name, port)) = write(&addr, len, size.into()) {
        assert!((0..=65535).contains(&port) && name.as_bytes().len() < size.into());
        assert_eq!(write(&addr, len, name.as_bytes().len()), Err(libc::ENOSPC), "the NUL needs room too");
    }
});
