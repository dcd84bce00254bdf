//! Looking up a host and a service, with a deadline that `getaddrinfo` does not have.

use std::ffi::CStr;
use std::hint;
use std::mem::{self, MaybeUninit};
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::Ordering::{AcqRel, Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr};

use libc::{addrinfo, c_int, c_void};

use crate::errno::{Errno, Result};
use crate::operation::poll_until;
use crate::time::Limit;
use crate::{sys, thread};

/// Room for the name of a host, and of a service, as getnameinfo(3) has it.
const HOST: usize = 1025;
const SERVICE: usize = 32;

/// What a host and a service stand for, in the order in which the system prefers them.
pub struct Addresses(NonNull<addrinfo>);

impl Addresses {
    pub fn iter(&self) -> impl Iterator<Item = &addrinfo> {
        // SAFETY: the list and all its entries are valid until `self` is dropped.
        let (first, next) = unsafe { (self.0.as_ref(), |entry: &&addrinfo| entry.ai_next.as_ref()) };
        std::iter::successors(Some(first), next)
    }

    fn into_list(self) -> *mut addrinfo {
        mem::ManuallyDrop::new(self).0.as_ptr()
    }
}

impl Drop for Addresses {
    fn drop(&mut self) {
        // SAFETY: the list came from getaddrinfo, and nobody else frees it.
        unsafe { libc::freeaddrinfo(self.0.as_ptr()) };
    }
}

/// The addresses to connect to, by `deadline`, which is that of `limit`.
pub fn peers(host: &CStr, service: &CStr, limit: Limit, deadline: Option<u64>) -> Result<Addresses> {
    check_host(host)?;
    check_service(service)?;
    let in_numbers = resolve(Some(host), c"0", libc::AI_NUMERICHOST);
    match (in_numbers, limit) {
        (Ok(_), _) => resolve(Some(host), service, libc::AI_NUMERICHOST),
        (Err(Errno::NONAME), _) if is_no_name(host) => Err(Errno::NONAME),
        (Err(Errno::NONAME), Limit::Nothing) => Err(Errno::AGAIN),
        (Err(Errno::NONAME), Limit::Nanoseconds(_)) => Lookup::begin(host, service)?.wait(deadline),
        (Err(Errno::NONAME), Limit::Forever) => resolve(Some(host), service, 0),
        (Err(error), _) => Err(error),
    }
}

/// The addresses to listen on, for as long as it takes; without a host all of the machine's.
pub fn own(host: Option<&CStr>, service: &CStr) -> Result<Addresses> {
    host.map_or(Ok(()), check_host)?;
    check_service(service)?;
    let numbers = if host.is_some_and(is_no_name) { libc::AI_NUMERICHOST } else { 0 };
    resolve(host, service, libc::AI_PASSIVE | numbers)
}

// Resolvers ask the network about names that no host can have, and take " 80", "+80" and "65616" for 80.

fn check_host(host: &CStr) -> Result<()> {
    match host.to_bytes() {
        [] => Err(Errno::INVAL),
        name if name.len() >= HOST || !is_word(name) => Err(Errno::NONAME),
        _ => Ok(()),
    }
}

fn check_service(service: &CStr) -> Result<()> {
    let service = service.to_bytes();
    let is_valid = if service.iter().all(u8::is_ascii_digit) {
        let port =
            service.iter().fold(0_u32, |port, digit| port.saturating_mul(10).saturating_add(u32::from(digit - b'0')));
        port <= u32::from(u16::MAX)
    } else {
        is_word(service) && service.iter().any(u8::is_ascii_alphabetic)
    };
    match service {
        [] => Err(Errno::INVAL),
        name if name.len() >= SERVICE || !is_valid => Err(Errno::SERVICE),
        _ => Ok(()),
    }
}

/// Whether a host is an address in numbers, or else nothing: no name has these.
fn is_no_name(host: &CStr) -> bool {
    host.to_bytes().iter().any(|byte| b":%".contains(byte))
}

fn is_word(text: &[u8]) -> bool {
    !text.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
}

fn resolve(host: Option<&CStr>, service: &CStr, flags: c_int) -> Result<Addresses> {
    // SAFETY: all zero is a valid addrinfo, and what hints are made of.
    let mut hints: addrinfo = unsafe { MaybeUninit::zeroed().assume_init() };
    hints.ai_flags = flags;
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_protocol = libc::IPPROTO_TCP;
    let mut list = ptr::null_mut();
    let host = host.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: the strings end with a NUL, and the other pointers are to locals.
    let code = unsafe { libc::getaddrinfo(host, service.as_ptr(), &raw const hints, &raw mut list) };
    match (code, NonNull::new(list)) {
        (0, Some(list)) => Ok(Addresses(list)),
        (code, _) => Err(reason(code)),
    }
}

/// Why a lookup failed. Numbers that would be taken for the mode's or the deadline's are not passed on.
fn reason(code: c_int) -> Errno {
    /// The name has addresses, though not of a family that was asked for; not in every libc.
    const EAI_ADDRFAMILY: c_int = -9;
    match code {
        libc::EAI_NONAME => Errno::NONAME,
        libc::EAI_NODATA | EAI_ADDRFAMILY => Errno::NODATA,
        libc::EAI_SERVICE => Errno::SERVICE,
        libc::EAI_AGAIN => Errno::TRY_LATER,
        libc::EAI_MEMORY => Errno::NOMEM,
        libc::EAI_SYSTEM => match Errno::last() {
            Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT => Errno::TRY_LATER,
            error if error.code() == 0 => Errno::FAIL,
            error => error,
        },
        _ => Errno::FAIL,
    }
}

/// A lookup in a thread of its own. That thread and the caller share it, and either may leave first.
struct Lookup {
    host: [u8; HOST],
    service: [u8; SERVICE],
    /// An eventfd, readable once there is a result.
    finished: OwnedFd,
    /// The result: addresses, or else an error.
    addresses: AtomicPtr<addrinfo>,
    error: AtomicI32,
    one_has_left: AtomicBool,
}

impl Lookup {
    fn begin(host: &CStr, service: &CStr) -> Result<Share> {
        let lookup = Lookup {
            host: copy(host),
            service: copy(service),
            finished: sys::eventfd()?,
            addresses: AtomicPtr::new(ptr::null_mut()),
            error: AtomicI32::new(Errno::FAIL.code()),
            one_has_left: AtomicBool::new(false),
        };
        // SAFETY: malloc may be asked for any size, and what it gives suits any type.
        let memory = NonNull::new(unsafe { libc::malloc(size_of::<Lookup>()) }).ok_or(Errno::NOMEM)?.cast();
        // SAFETY: the memory is new and large enough.
        unsafe { memory.write(lookup) };
        let (caller, thread) = (Share(memory), Share(memory));
        thread::start(look_up, memory.as_ptr().cast())?;
        mem::forget(thread); // It is the new thread's now.
        Ok(caller)
    }

    fn run(&self) {
        match resolve(Some(text(&self.host)), text(&self.service), 0) {
            Ok(addresses) => self.addresses.store(addresses.into_list(), Release),
            Err(error) => self.error.store(error.code(), Release),
        }
        // It cannot fail: a counter of 64 bits has room for one.
        let _ = sys::signal(self.finished());
    }

    fn finished(&self) -> BorrowedFd<'_> {
        // SAFETY: an open descriptor is never negative. std asserts nearly the same, up to Rust 1.85 at
        // least, and this makes the compiler drop its panic.
        unsafe { hint::assert_unchecked(self.finished.as_raw_fd() >= 0) };
        self.finished.as_fd()
    }

    fn result(&self) -> Result<Addresses> {
        match NonNull::new(self.addresses.swap(ptr::null_mut(), Acquire)) {
            Some(list) => Ok(Addresses(list)),
            None => Err(Errno::new(self.error.load(Acquire))),
        }
    }

    fn wait(&self, deadline: Option<u64>) -> Result<Addresses> {
        loop {
            match poll_until(self.finished(), libc::POLLIN, deadline) {
                Err(Errno::INTR) => {}
                ready => return ready.and_then(|_| self.result()),
            }
        }
    }
}

/// A string in an array that has room for it.
fn copy<const ROOM: usize>(text: &CStr) -> [u8; ROOM] {
    let mut copy = [0; ROOM];
    copy.iter_mut().zip(text.to_bytes()).for_each(|(to, from)| *to = *from);
    copy
}

fn text(copy: &[u8]) -> &CStr {
    CStr::from_bytes_until_nul(copy).unwrap_or_default()
}

/// What the caller, or the thread, holds of a lookup.
struct Share(NonNull<Lookup>);

impl Deref for Share {
    type Target = Lookup;

    fn deref(&self) -> &Lookup {
        // SAFETY: it is there until both shares are dropped.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Share {
    /// Whoever leaves last takes the lookup down.
    fn drop(&mut self) {
        if self.one_has_left.swap(true, AcqRel) {
            drop(self.result());
            // SAFETY: the other share is gone, and this one goes. The memory is malloc's.
            unsafe {
                self.0.drop_in_place();
                libc::free(self.0.as_ptr().cast());
            }
        }
    }
}

/// The thread of a lookup.
extern "C" fn look_up(share: *mut c_void) -> *mut c_void {
    if let Some(lookup) = NonNull::new(share) {
        Share(lookup.cast()).run();
    }
    ptr::null_mut()
}
