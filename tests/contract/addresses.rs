//! Addresses as text: `sock_address` and `sock_name`.

use std::ffi::CString;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::ptr::{null, null_mut};

use libc::{EAFNOSUPPORT, EFAULT, EINVAL, ENAMETOOLONG, ENOSPC, socklen_t};
use socket2::{Domain, SockAddr, SockAddrStorage, SockRef, Socket, Type};

use crate::common::call::*;
use crate::common::*;

/// Room for every address as text, as the header says.
const ROOM: usize = 110;

fn c(text: impl Into<Vec<u8>>) -> CString {
    CString::new(text).unwrap()
}

fn read(host: &str, service: Option<&str>) -> Result<SockAddr, i32> {
    address_of(Some(&c(host)), service.map(c).as_deref())
}

/// Any bytes as an address.
fn raw(bytes: &[u8], len: usize) -> SockAddr {
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: the storage has room for as many.
    unsafe { (&raw mut storage).cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len().min(128)) };
    // SAFETY: any bytes are an address, if of no family that there is.
    unsafe { SockAddr::new(storage, len as socklen_t) }
}

fn unix(path: &[u8]) -> SockAddr {
    let bytes: Vec<u8> = (libc::AF_UNIX as u16).to_ne_bytes().into_iter().chain(path.iter().copied()).collect();
    raw(&bytes, bytes.len())
}

#[test]
fn numeric_addresses_are_read_and_written() {
    for (host, port, text) in [
        ("127.0.0.1", "80", "127.0.0.1"),
        ("0.0.0.0", "0", "0.0.0.0"),
        ("255.255.255.255", "65535", "255.255.255.255"),
        ("::1", "443", "::1"),
        ("::", "00080", "::"),
        ("2001:DB8:0:0:0:0:0:1", "1", "2001:db8::1"),
        ("1:0:0:2:0:0:0:3", "1", "1:0:0:2::3"),
        ("1:0:0:2:0:0:3:4", "1", "1::2:0:0:3:4"),
        ("1:0:2:0:3:0:4:0", "1", "1:0:2:0:3:0:4:0"),
        ("1:2:3:4:5:6:0:0", "1", "1:2:3:4:5:6::"),
        ("0:0:3:4:5:6:7:8", "1", "::3:4:5:6:7:8"),
        ("::ffff:192.0.2.1", "53", "::ffff:192.0.2.1"),
        ("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "53", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ] {
        about(host, || {
            let found = read(host, Some(port)).unwrap();
            let expected = SocketAddr::new(host.parse().unwrap(), port.parse().unwrap());
            assert_eq!(found, SockAddr::from(expected));
            assert_eq!(found.len(), SockAddr::from(expected).len());
            assert_eq!(name_of(&found, ROOM), Ok((c(text), expected.port().into())));
        });
    }
}

#[test]
fn a_scope_is_a_number_or_an_interface() {
    // SAFETY: the name ends with a NUL.
    let loopback = unsafe { libc::if_nametoindex(c"lo".as_ptr()) };
    assert_ne!(loopback, 0);
    let all: Ipv6Addr = "fe80::1".parse().unwrap();
    for (scope, index) in [("7", 7), ("4294967295", u32::MAX), ("0", 0), ("lo", loopback)] {
        about(scope, || {
            let found = read(&format!("fe80::1%{scope}"), Some("80")).unwrap();
            assert_eq!(found, SockAddr::from(SocketAddrV6::new(all, 80, 0, index)));
            let text = if index == 0 { "fe80::1".to_owned() } else { format!("fe80::1%{index}") };
            assert_eq!(name_of(&found, ROOM), Ok((c(text), 80)));
        });
    }
    for scope in ["", "no-such-if", "4294967296", "-1", "+1", " 1", "lo ", "%lo", "an-interface-with-a-long-name"] {
        about(scope, || assert_eq!(read(&format!("fe80::1%{scope}"), Some("80")), Err(EINVAL)));
    }
}

#[test]
fn what_is_no_address_is_refused() {
    for host in [
        "",
        " ",
        "localhost",
        "127.1",
        "127.0.0.1 ",
        " 127.0.0.1",
        "127.0.0.01",
        "127.0.0.256",
        "0x7f.0.0.1",
        "1.2.3.4.5",
        "127.0.0.1%lo",
        "127.0.0.1:80",
        "[::1]",
        "::1::",
        "1:2:3:4:5:6:7:8:9",
        ":",
        "*",
        "12345::",
        "www.example.org",
    ] {
        about(host, || assert_eq!(read(host, Some("80")), Err(EINVAL)));
    }
    for endless in ["1".repeat(1 << 20), format!("::{}", "1".repeat(100)), format!("{}1", "0:".repeat(40))] {
        assert_eq!(read(&endless, Some("80")), Err(EINVAL));
    }
    for service in ["", "http", "65536", "4294967376", "-1", "+80", " 80", "80 ", "0x50", "80/tcp", "53/udp", "８０"]
    {
        for host in ["127.0.0.1", "::1"] {
            about(service, || assert_eq!(read(host, Some(service)), Err(EINVAL)));
        }
    }
    assert_eq!(read("127.0.0.1", None), Err(EINVAL));
    assert_eq!(address_of(None, Some(c"80")), Err(EINVAL));
    let (mut addr, mut len) = (SockAddrStorage::zeroed(), 0);
    for (addr, len) in [((&raw mut addr).cast(), null_mut()), (null_mut(), &raw mut len), (null_mut(), null_mut())] {
        // SAFETY: the pointers are NULL or to locals.
        let outcome = check(|| unsafe { sock::sock_address(c"::1".as_ptr(), c"80".as_ptr(), addr, len) as isize });
        assert_eq!(outcome, Err(EFAULT));
    }
}

#[test]
fn unix_addresses_are_read_and_written() {
    let longest = format!("/{}", "x".repeat(106));
    in_turn(["/", "/tmp/a socket", "/tmp/@", "/ü", &longest], |path| {
        let found = read(path, None).unwrap();
        assert_eq!(found, SockAddr::unix(path).unwrap());
        assert_eq!(found.len() as usize, 2 + path.len() + 1);
        assert_eq!(name_of(&found, ROOM), Ok((c(path), 0)));
    });
    let longest = format!("@{}", "x".repeat(107));
    in_turn(["@a", "@a@b", "@/tmp/x", "@ ", &longest], |name| {
        let found = read(name, None).unwrap();
        assert_eq!(found.len() as usize, 2 + name.len());
        assert_eq!(found, unix(&[&[0], &name.as_bytes()[1..]].concat()));
        assert_eq!(name_of(&found, ROOM), Ok((c(name), 0)));
    });
    assert_eq!(read("@", None), Err(EINVAL));
    for (host, service) in [("/tmp/x", "80"), ("@x", "80"), ("/tmp/x", ""), ("@x", "")] {
        assert_eq!(read(host, Some(service)), Err(EINVAL));
    }
    for host in [format!("/{}", "x".repeat(107)), format!("@{}", "x".repeat(108)), format!("/{}", "x".repeat(1 << 20))]
    {
        assert_eq!(read(&host, None), Err(ENAMETOOLONG));
    }
}

#[test]
fn the_kernels_own_unix_addresses_have_a_name() {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    assert_eq!(name_of(&socket.local_addr().unwrap(), ROOM), Ok((c(""), 0)));
    SockRef::from(&socket).bind(&SockAddr::unix("").unwrap()).unwrap();
    let (name, port) = name_of(&socket.local_addr().unwrap(), ROOM).unwrap();
    assert!(name.to_bytes().starts_with(b"@") && name.to_bytes().len() == 6 && port == 0, "{name:?}");
    assert_eq!(read(name.to_str().unwrap(), None).unwrap(), socket.local_addr().unwrap());

    // A path that leaves no room for a NUL, as it may come from C.
    let full = [b"/".to_vec(), vec![b'x'; 107]].concat();
    assert_eq!(name_of(&unix(&full), ROOM), Ok((c(full), 0)));
    // What follows a NUL is no part of a path, and of an abstract name there is no text.
    assert_eq!(name_of(&unix(b"/tmp/x\0/y"), ROOM), Ok((c("/tmp/x"), 0)));
    assert_eq!(name_of(&unix(b"relative"), ROOM), Ok((c("relative"), 0)));
    assert_eq!(name_of(&unix(b"\0a\0b"), ROOM), Err(EINVAL));
    assert_eq!(name_of(&unix(b"\0"), ROOM), Err(EINVAL));
    assert_eq!(name_of(&unix(b"\0\0"), ROOM), Err(EINVAL));
    assert_eq!(name_of(&unix(b"@relative"), ROOM), Err(EINVAL));
}

#[test]
fn a_name_needs_room_for_its_nul() {
    for (host, service) in [("127.0.0.1", Some("80")), ("fe80::1%7", Some("80")), ("/tmp/x", None), ("@x", None)] {
        let address = read(host, service).unwrap();
        for size in 0..=host.len() {
            assert_eq!(name_of(&address, size), Err(ENOSPC), "{host} in {size} bytes");
        }
        assert_eq!(name_of(&address, host.len() + 1).unwrap().0, c(host));
        // SAFETY: no room is asked for.
        let port = check(|| unsafe { sock::sock_name(address.as_ptr().cast(), address.len(), null_mut(), 0) as isize });
        assert_eq!(port, Ok(service.map_or(0, |service| service.parse().unwrap())));
    }
    let unnamed = unix(b"");
    assert_eq!(name_of(&unnamed, 0), Err(ENOSPC));
    assert_eq!(name_of(&unnamed, 1), Ok((c(""), 0)));
}

#[test]
fn what_is_no_address_has_no_name() {
    let v4 = SockAddr::from(SocketAddr::from((Ipv4Addr::LOCALHOST, 80)));
    let v6 = SockAddr::from(SocketAddr::from((Ipv6Addr::LOCALHOST, 80)));
    for address in [v4, v6] {
        // SAFETY: an address has as many bytes as it says.
        let bytes = unsafe { std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), address.len() as usize) };
        for len in 0..bytes.len() {
            assert_eq!(name_of(&raw(bytes, len), ROOM), Err(EINVAL), "{len} bytes");
        }
        assert!(name_of(&raw(bytes, 128), ROOM).is_ok());
        for len in [129, i32::MAX as usize, u32::MAX as usize] {
            assert_eq!(name_of(&raw(bytes, len), ROOM), Err(EINVAL), "{len} bytes");
        }
    }
    for family in [libc::AF_UNSPEC, libc::AF_NETLINK, libc::AF_PACKET, 0xFFFF] {
        assert_eq!(name_of(&raw(&(family as u16).to_ne_bytes(), 128), ROOM), Err(EAFNOSUPPORT));
    }
    // SAFETY: NULL is allowed.
    assert_eq!(check(|| unsafe { sock::sock_name(null(), 16, null_mut(), 0) as isize }), Err(EFAULT));
}

#[test]
fn every_address_that_is_written_is_read_again() {
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 32) as u32
    };
    for _ in 0..20_000 {
        let port = next() as u16;
        let parts = [0; 8].map(|_| if next() % 2 == 0 { 0 } else { (next() >> (next() % 17)) as u16 });
        let scope = if next() % 2 == 0 { 0 } else { next() };
        let v4 = SocketAddr::from((Ipv4Addr::from(next()), port));
        let v6 = SocketAddr::from(SocketAddrV6::new(Ipv6Addr::from(parts), port, 0, scope));
        for (address, scope) in [(v4, 0), (v6, scope)] {
            let expected = if scope == 0 { address.ip().to_string() } else { format!("{}%{scope}", address.ip()) };
            let address = SockAddr::from(address);
            let (text, told) = name_of(&address, ROOM).unwrap();
            assert_eq!(text, c(expected));
            assert_eq!(told, usize::from(port));
            assert_eq!(address_of(Some(&text), Some(&c(port.to_string()))), Ok(address), "{text:?}");
        }
    }
}

/// What a listener made by name has got from the kernel.
#[test]
fn a_program_learns_its_port() {
    for (host, text) in [(Some(c"127.0.0.1"), "127.0.0.1"), (Some(c"0.0.0.0"), "0.0.0.0")] {
        let listener = listen(host, Some(c"0"), 1).unwrap();
        let (name, port) = name_of(&address(&listener), ROOM).unwrap();
        assert_eq!(name, c(text));
        assert_eq!(port, usize::from(address(&listener).as_socket().unwrap().port()));
    }
}
