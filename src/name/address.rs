//! Addresses as text. This needs no name server and no file. Only the name of an interface is looked up, by the kernel.

use std::ffi::CStr;
use std::mem::{self, MaybeUninit};

use libc::{
    c_char, c_int, c_void, in_addr, in6_addr, sa_family_t, sockaddr, sockaddr_in, sockaddr_in6, sockaddr_storage,
};
use libc::{sockaddr_un, socklen_t};

use crate::errno::{Errno, Result};

unsafe extern "C" {
    // The libc crate does not have it.
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
}

/// The place in a Unix address where the path begins.
const PATH: usize = mem::offset_of!(sockaddr_un, sun_path);

/// An address of any family.
pub struct Address {
    storage: sockaddr_storage,
    len: socklen_t,
}

impl Address {
    /// Reads an address from text. An IP address needs a port, a Unix address has none.
    pub fn parse(host: &CStr, service: Option<&CStr>) -> Result<Address> {
        if is_unix(host) {
            return if service.is_some() { Err(Errno::INVAL) } else { Address::unix(host) };
        }
        let port = service.and_then(|service| port(service.to_bytes())).ok_or(Errno::INVAL)?;
        match v4(host) {
            Some(address) => {
                // SAFETY: all zero is a valid sockaddr_in.
                let mut found: sockaddr_in = unsafe { MaybeUninit::zeroed().assume_init() };
                found.sin_family = libc::AF_INET as sa_family_t;
                found.sin_port = port.to_be();
                found.sin_addr = address;
                Ok(Address::of(&found))
            }
            None => Ok(Address::of(&v6(host.to_bytes(), port)?)),
        }
    }

    /// The Unix address of a path, which begins with `/`, or of an abstract name, which begins with `@` here.
    pub fn unix(host: &CStr) -> Result<Address> {
        // SAFETY: all zero is a valid sockaddr_un.
        let mut found: sockaddr_un = unsafe { MaybeUninit::zeroed().assume_init() };
        found.sun_family = libc::AF_UNIX as sa_family_t;
        let is_abstract = host.to_bytes().starts_with(b"@");
        // A path ends with a NUL. An abstract name has a NUL in place of its `@`, and no NUL at its end.
        let text = if is_abstract { host.to_bytes() } else { host.to_bytes_with_nul() };
        match text.len() {
            1 => return Err(Errno::INVAL),
            len if len > found.sun_path.len() => return Err(Errno::NAMETOOLONG),
            _ => {}
        }
        found.sun_path.iter_mut().zip(text).for_each(|(to, from)| *to = *from as c_char);
        if let (true, Some(first)) = (is_abstract, found.sun_path.first_mut()) {
            *first = 0;
        }
        let mut address = Address::of(&found);
        address.len = PATH.saturating_add(text.len()) as socklen_t;
        Ok(address)
    }

    fn of<T>(address: &T) -> Address {
        const { assert!(size_of::<T>() <= size_of::<sockaddr_storage>()) };
        // SAFETY: all zero is a valid sockaddr_storage.
        let mut storage: sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: it has room for every kind of address, and is aligned for it.
        unsafe { (&raw mut storage).cast::<T>().copy_from_nonoverlapping(address, 1) };
        Address { storage, len: size_of::<T>() as socklen_t }
    }

    /// A caller's address.
    ///
    /// # Safety
    ///
    /// `len` bytes must be valid for reading.
    pub unsafe fn read(addr: *const sockaddr, len: socklen_t) -> Result<Address> {
        // SAFETY: all zero is a valid sockaddr_storage.
        let mut storage: sockaddr_storage = unsafe { MaybeUninit::zeroed().assume_init() };
        if (len as usize) < size_of::<sa_family_t>() || len as usize > size_of::<sockaddr_storage>() {
            return Err(Errno::INVAL);
        }
        // SAFETY: the caller promises these bytes, and there is room for them.
        unsafe { (&raw mut storage).cast::<u8>().copy_from_nonoverlapping(addr.cast(), len as usize) };
        Ok(Address { storage, len })
    }

    /// Hands the address out.
    ///
    /// # Safety
    ///
    /// The pointers must be valid for writing.
    pub unsafe fn write(&self, addr: *mut sockaddr_storage, len: *mut socklen_t) {
        // SAFETY: the caller promises it. A struct of the caller's need not be aligned.
        unsafe {
            addr.write_unaligned(self.storage);
            len.write_unaligned(self.len);
        }
    }

    pub fn as_ptr(&self) -> *const sockaddr {
        (&raw const self.storage).cast()
    }

    pub fn len(&self) -> socklen_t {
        self.len
    }

    /// The host as text, and the port, which a Unix address does not have.
    pub fn to_text(&self) -> Result<(Text, u16)> {
        let mut text = Text { bytes: [0; Text::ROOM], len: 0 };
        let port = match c_int::from(self.storage.ss_family) {
            libc::AF_INET => {
                let address: &sockaddr_in = self.as_family()?;
                text.push_v4(address.sin_addr.s_addr.to_ne_bytes());
                address.sin_port
            }
            libc::AF_INET6 => {
                let address: &sockaddr_in6 = self.as_family()?;
                text.push_v6(address.sin6_addr.s6_addr);
                if address.sin6_scope_id != 0 {
                    text.push(b"%");
                    text.push_number(address.sin6_scope_id);
                }
                address.sin6_port
            }
            libc::AF_UNIX => {
                text.push_path(self.unix_path())?;
                0
            }
            _ => return Err(Errno::AFNOSUPPORT),
        };
        Ok((text, u16::from_be(port)))
    }

    fn as_family<T>(&self) -> Result<&T> {
        const { assert!(size_of::<T>() <= size_of::<sockaddr_storage>()) };
        if (self.len as usize) < size_of::<T>() {
            return Err(Errno::INVAL);
        }
        // SAFETY: it is large enough and aligned for every kind of address, and any bytes are a valid address.
        Ok(unsafe { &*(&raw const self.storage).cast::<T>() })
    }

    /// The bytes of the path of a Unix address, as many as there are.
    fn unix_path(&self) -> &[u8] {
        let bytes = (&raw const self.storage).cast::<[u8; size_of::<sockaddr_storage>()]>();
        // SAFETY: the bytes of the address, all of which are initialised.
        unsafe { &*bytes }.get(PATH..self.len as usize).unwrap_or_default()
    }
}

/// Whether a host is the address of a Unix socket.
pub fn is_unix(host: &CStr) -> bool {
    host.to_bytes().starts_with(b"/") || host.to_bytes().starts_with(b"@")
}

/// A port in decimals.
pub fn port(text: &[u8]) -> Option<u16> {
    number(text).and_then(|port| u16::try_from(port).ok())
}

/// A number in decimals, and nothing else: no sign, no space.
fn number(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text.iter().try_fold(0_u32, |number, digit| number.checked_mul(10)?.checked_add(u32::from(digit - b'0')))
}

fn v4(host: &CStr) -> Option<in_addr> {
    let mut address = in_addr { s_addr: 0 };
    // SAFETY: the text ends with a NUL, and the address is a local of the right size.
    let found = unsafe { inet_pton(libc::AF_INET, host.as_ptr(), (&raw mut address).cast()) };
    (found == 1).then_some(address)
}

/// An address of IPv6, with or without a scope.
fn v6(host: &[u8], port: u16) -> Result<sockaddr_in6> {
    let mut parts = host.splitn(2, |byte| *byte == b'%');
    // A text that is longer than any address of IPv6 is cut, and is not an address in either case.
    let numbers: [u8; 64] = copy(parts.next().unwrap_or_default());
    let mut address = in6_addr { s6_addr: [0; 16] };
    // SAFETY: the text ends with a NUL, and the address is a local of the right size.
    if unsafe { inet_pton(libc::AF_INET6, numbers.as_ptr().cast(), (&raw mut address).cast()) } != 1 {
        return Err(Errno::INVAL);
    }
    // SAFETY: all zero is a valid sockaddr_in6.
    let mut found: sockaddr_in6 = unsafe { MaybeUninit::zeroed().assume_init() };
    found.sin6_family = libc::AF_INET6 as sa_family_t;
    found.sin6_port = port.to_be();
    found.sin6_addr = address;
    found.sin6_scope_id = parts.next().map_or(Ok(0), scope)?;
    Ok(found)
}

/// The index of an interface, given as that number or by name.
fn scope(text: &[u8]) -> Result<u32> {
    if let Some(index) = number(text) {
        return Ok(index);
    }
    if text.is_empty() || text.len() >= libc::IFNAMSIZ {
        return Err(Errno::INVAL);
    }
    let name: [u8; libc::IFNAMSIZ] = copy(text);
    // SAFETY: the text ends with a NUL.
    match unsafe { libc::if_nametoindex(name.as_ptr().cast()) } {
        0 => Err(match Errno::last() {
            error if matches!(error.code(), libc::ENODEV | libc::ENXIO) => Errno::INVAL,
            error => error,
        }),
        index => Ok(index),
    }
}

/// Copies a text into an array that ends with a NUL. A text that is too long is cut.
pub fn copy<const ROOM: usize>(text: &[u8]) -> [u8; ROOM] {
    let mut copy = [0; ROOM];
    copy.iter_mut().take(ROOM.saturating_sub(1)).zip(text).for_each(|(to, from)| *to = *from);
    copy
}

/// A host as text.
pub struct Text {
    bytes: [u8; Text::ROOM],
    len: usize,
}

impl Text {
    /// Room for the longest text: an abstract name or a path that fills its address.
    const ROOM: usize = size_of::<sockaddr_storage>();

    /// Hands the text out with a NUL.
    ///
    /// # Safety
    ///
    /// `size` bytes must be valid for writing.
    pub unsafe fn write(&self, host: *mut c_char, size: usize) -> Result<()> {
        if self.len >= size {
            return Err(Errno::NOSPC);
        }
        // SAFETY: there is room for the text and a NUL.
        unsafe {
            host.cast::<u8>().copy_from_nonoverlapping(self.bytes.as_ptr(), self.len);
            host.add(self.len).write(0);
        }
        Ok(())
    }

    fn push(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(free) = self.bytes.get_mut(self.len) {
                *free = *byte;
                self.len += 1;
            }
        }
    }

    fn push_number(&mut self, number: u32) {
        self.push_digits(
            number,
            [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1000, 100, 10, 1],
        );
    }

    fn push_hexadecimal(&mut self, number: u16) {
        self.push_digits(number.into(), [0x1000, 0x100, 0x10, 1]);
    }

    /// A number without leading zeros. `units` are the powers of the base, the largest first.
    fn push_digits<const UNITS: usize>(&mut self, number: u32, units: [u32; UNITS]) {
        let mut rest = number;
        for unit in units {
            let digit = rest.checked_div(unit).unwrap_or_default();
            if number >= unit || unit == 1 {
                self.push(&[if digit < 10 { b'0' } else { b'a' - 10 }.wrapping_add(digit as u8)]);
            }
            rest = rest.wrapping_sub(digit.wrapping_mul(unit));
        }
    }

    // Not inet_ntop(3): it takes 2 KiB of stack, and calls printf(3), which a signal handler may not call.

    fn push_v4(&mut self, address: [u8; 4]) {
        for (place, byte) in address.into_iter().enumerate() {
            self.push(if place > 0 { b"." } else { b"" });
            self.push_number(byte.into());
        }
    }

    /// By RFC 5952: "::" stands for the longest run of at least two zero groups, and for the first of equal runs.
    fn push_v6(&mut self, address: [u8; 16]) {
        if let [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, v4 @ ..] = address {
            self.push(b"::ffff:");
            return self.push_v4(v4);
        }
        let mut groups = [0; 8];
        for (group, pair) in groups.iter_mut().zip(address.chunks_exact(2)) {
            *group = pair.iter().fold(0, |group, byte| group << 8 | u16::from(*byte));
        }
        let (mut run, mut longest) = (0..0, 0..0);
        for (place, group) in groups.into_iter().enumerate() {
            run = if group != 0 { place + 1..place + 1 } else { run.start..place + 1 };
            if run.len() > longest.len().max(1) {
                longest = run.clone();
            }
        }
        for (place, group) in groups.into_iter().enumerate() {
            if place == longest.start && !longest.is_empty() {
                self.push(b"::");
            } else if !longest.contains(&place) {
                self.push(if place == 0 || place == longest.end && !longest.is_empty() { b"" } else { b":" });
                self.push_hexadecimal(group);
            }
        }
    }

    /// The path of a Unix socket: none, an abstract name, or a path, which may end with a NUL.
    fn push_path(&mut self, path: &[u8]) -> Result<()> {
        match path {
            [] => {}
            [0, name @ ..] => {
                if name.is_empty() || name.contains(&0) {
                    return Err(Errno::INVAL);
                }
                self.push(b"@");
                self.push(name);
            }
            // As text it would be an abstract name.
            [b'@', ..] => return Err(Errno::INVAL),
            path => self.push(path.split(|byte| *byte == 0).next().unwrap_or_default()),
        }
        Ok(())
    }
}
