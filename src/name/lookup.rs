//! Looking up a host and a service with a deadline and a token, which `getaddrinfo` does not have.

use std::ffi::CStr;
use std::mem::{self, MaybeUninit};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd};
use std::ptr::{self, NonNull};

use libc::{addrinfo, c_int, c_void, pollfd, pthread_t};

use super::target::{HOST, Service, must_be_numeric};
use super::{address, thread};
use crate::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::atomic::{AtomicBool, AtomicI32, AtomicPtr};
use crate::errno::{Errno, Result};
use crate::wait::{NO_ENTRY, Until};
use crate::{linux, sys};

/// How many abandoned lookups may still run when another lookup begins.
const ABANDONED_AT_MOST: usize = 64;

/// The addresses of a host and a service, in the order in which the system prefers them.
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

/// The addresses to connect to.
pub fn resolve_remote(host: &CStr, service: &Service, until: Until) -> Result<Addresses> {
    let port_0 = Service::parse(c"0")?;
    match resolve(Some(host), &port_0, libc::AI_NUMERICHOST) {
        Ok(_) => resolve(Some(host), service, libc::AI_NUMERICHOST),
        Err(Errno::NONAME) if must_be_numeric(host) => Err(Errno::NONAME),
        Err(Errno::NONAME) if until.is_endless() => resolve(Some(host), service, 0),
        Err(Errno::NONAME) => {
            until.check_deadline()?;
            Lookup::begin(host, service)?.wait(until)
        }
        Err(error) => Err(error),
    }
}

/// The addresses to listen on; without a host, all addresses of this machine. This wait has no limit.
pub fn resolve_local(host: Option<&CStr>, service: &Service) -> Result<Addresses> {
    let numeric = if host.is_some_and(must_be_numeric) { libc::AI_NUMERICHOST } else { 0 };
    resolve(host, service, libc::AI_PASSIVE | numeric)
}

fn resolve(host: Option<&CStr>, service: &Service, flags: c_int) -> Result<Addresses> {
    // SAFETY: all zero is a valid addrinfo, and right for hints.
    let mut hints: addrinfo = unsafe { MaybeUninit::zeroed().assume_init() };
    hints.ai_flags = flags;
    (hints.ai_socktype, hints.ai_protocol) = service.protocol.numbers();
    let mut list = ptr::null_mut();
    let host = host.map_or(ptr::null(), CStr::as_ptr);
    Errno::clear();
    // SAFETY: the strings end with a NUL, and the other pointers are to locals.
    let code = unsafe { libc::getaddrinfo(host, service.name().as_ptr(), &raw const hints, &raw mut list) };
    match (code, NonNull::new(list)) {
        (0, Some(list)) => Ok(Addresses(list)),
        (code, _) => Err(from_gai_code(code, Errno::last())),
    }
}

/// Why a lookup failed. An error that a caller would take for one of the mode, the deadline or the token becomes another.
fn from_gai_code(code: c_int, errno: Errno) -> Errno {
    /// The name has addresses, but none of the wanted family. Not every libc has this code.
    const EAI_ADDRFAMILY: c_int = -9;
    match code {
        // The resolver could not open a file or a socket, and so found nothing.
        _ if matches!(errno.code(), libc::EMFILE | libc::ENFILE | libc::ENOMEM) => errno,
        libc::EAI_NONAME => Errno::NONAME,
        libc::EAI_NODATA | EAI_ADDRFAMILY => Errno::NODATA,
        libc::EAI_SERVICE => Errno::SERVICE,
        libc::EAI_AGAIN => Errno::TRY_LATER,
        libc::EAI_MEMORY => Errno::NOMEM,
        libc::EAI_SYSTEM => match errno {
            Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT | Errno::CANCELED => Errno::TRY_LATER,
            error if error.code() == 0 => Errno::FAIL,
            error => error,
        },
        _ => Errno::FAIL,
    }
}

/// A lookup in a thread of its own. One mapping holds, from below: a page that cannot be touched, the stack of the thread, and
/// the lookup.
///
/// A caller that gets the result joins the thread and unmaps everything. A caller whose time is over abandons the lookup. Then
/// the thread frees the result and closes the descriptor, and a later lookup, which finds that the thread is gone, unmaps
/// the memory. This is so in a child of fork too, where the thread never ran.
struct Lookup {
    host: [u8; HOST],
    service: Service,
    /// An eventfd, readable once there is a result, or -1.
    finished: AtomicI32,
    /// The result: addresses, or else an error.
    addresses: AtomicPtr<addrinfo>,
    error: AtomicI32,
    /// Set by whichever is first: the thread when it has a result, or the caller when it leaves the lookup.
    one_has_left: AtomicBool,
    /// The kernel's numbers of the process and of the thread. The latter is 0 until the thread runs.
    process: c_int,
    thread: AtomicI32,
    mapping: Mapping,
    /// The next lookup in the list of abandoned lookups.
    next: AtomicPtr<Lookup>,
}

/// The list of abandoned lookups that have not been unmapped.
static ABANDONED: AtomicPtr<Lookup> = AtomicPtr::new(ptr::null_mut());

#[derive(Clone, Copy)]
struct Mapping {
    start: *mut c_void,
    len: usize,
}

/// The caller's side of a lookup under way.
struct Waiter {
    lookup: NonNull<Lookup>,
    thread: pthread_t,
}

impl Lookup {
    fn begin(host: &CStr, service: &Service) -> Result<Waiter> {
        if unmap_abandoned() >= ABANDONED_AT_MOST {
            return Err(Errno::AGAIN);
        }
        // SAFETY: it has no argument that could be wrong.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let stack = round_up(thread::stack_size(), page);
        let below = stack.saturating_add(page);
        let len = below.saturating_add(round_up(size_of::<Lookup>(), page));
        let mapping = Mapping { start: sys::map(len)?, len };
        // SAFETY: the mapping is so large, and a page is aligned for everything.
        let (stack_start, lookup) =
            unsafe { (mapping.start.byte_add(page), mapping.start.byte_add(below).cast::<Lookup>()) };
        // SAFETY: the mapping is new.
        let begun = unsafe { sys::forbid(mapping.start, page) }.and_then(|()| linux::eventfd()).and_then(|finished| {
            let shared = Lookup {
                host: address::copy(host.to_bytes()),
                service: *service,
                finished: AtomicI32::new(finished.into_raw_fd()),
                addresses: AtomicPtr::new(ptr::null_mut()),
                error: AtomicI32::new(Errno::FAIL.code()),
                one_has_left: AtomicBool::new(false),
                process: thread::process(),
                thread: AtomicI32::new(0),
                mapping,
                next: AtomicPtr::new(ptr::null_mut()),
            };
            // SAFETY: there is room for it in the mapping, and the thread finds it there.
            unsafe {
                lookup.write(shared);
                thread::start(stack_start, stack, run, lookup.cast()).inspect_err(|_| (*lookup).close())
            }
        });
        match (begun, NonNull::new(lookup)) {
            (Ok(thread), Some(lookup)) => Ok(Waiter { lookup, thread }),
            (begun, _) => {
                // SAFETY: no thread was started.
                unsafe { sys::unmap(mapping.start, mapping.len) };
                Err(begun.err().unwrap_or(Errno::NOMEM))
            }
        }
    }

    /// The part of the thread.
    fn run(&self) {
        self.thread.store(thread::id(), Relaxed);
        let host = CStr::from_bytes_until_nul(&self.host).unwrap_or_default();
        match resolve(Some(host), &self.service, 0) {
            Ok(addresses) => self.addresses.store(addresses.into_list(), Release),
            Err(error) => self.error.store(error.code(), Release),
        }
        if self.one_has_left.swap(true, AcqRel) {
            drop(self.result());
            self.close();
        } else {
            // It cannot fail: a counter of 64 bits has room for one.
            let _ = sys::borrow(self.finished.load(Relaxed)).and_then(linux::signal);
        }
    }

    fn result(&self) -> Result<Addresses> {
        match NonNull::new(self.addresses.swap(ptr::null_mut(), Acquire)) {
            Some(list) => Ok(Addresses(list)),
            None => Err(Errno::new(self.error.load(Acquire))),
        }
    }

    fn close(&self) {
        let fd = self.finished.swap(-1, Relaxed);
        if fd >= 0 {
            // SAFETY: the descriptor was the lookup's own, and is taken from it.
            drop(unsafe { OwnedFd::from_raw_fd(fd) });
        }
    }
}

/// Rounds up to whole pages. The size of a page is a power of two.
fn round_up(size: usize, page: usize) -> usize {
    size.saturating_add(page - 1) & !(page - 1)
}

/// What the thread runs.
extern "C" fn run(lookup: *mut c_void) -> *mut c_void {
    // SAFETY: it was written before the thread was started, and stays until the thread is gone.
    if let Some(lookup) = unsafe { lookup.cast::<Lookup>().as_ref() } {
        lookup.run();
    }
    ptr::null_mut()
}

impl Waiter {
    fn wait(self, until: Until) -> Result<Addresses> {
        // SAFETY: the lookup stays until it is abandoned, which is the end of `self`.
        let lookup = unsafe { self.lookup.as_ref() };
        let mut entries = [NO_ENTRY, pollfd { fd: lookup.finished.load(Relaxed), events: libc::POLLIN, revents: 0 }];
        loop {
            match until.wait(&mut entries, None) {
                Ok(false) | Err(Errno::INTR) => {}
                Ok(true) => return lookup.result(),
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // SAFETY: the lookup is there. Once it is abandoned only its memory is used, by whoever finds the thread gone.
        unsafe {
            if self.lookup.as_ref().one_has_left.swap(true, AcqRel) {
                thread::join(self.thread);
                unmap(self.lookup);
            } else {
                thread::pin();
                thread::detach(self.thread);
                keep(self.lookup);
            }
        }
    }
}

/// Adds a lookup to those that were abandoned.
fn keep(lookup: NonNull<Lookup>) {
    let mut first = ABANDONED.load(Relaxed);
    loop {
        // SAFETY: it is nobody else's until it is the first.
        unsafe { lookup.as_ref() }.next.store(first, Relaxed);
        match ABANDONED.compare_exchange_weak(first, lookup.as_ptr(), Release, Relaxed) {
            Ok(_) => return,
            Err(other) => first = other,
        }
    }
}

/// Unmaps the abandoned lookups whose threads are gone, and gives the number of those that are left. While another thread does
/// this, that thread holds the whole list, and the number here is 0.
fn unmap_abandoned() -> usize {
    let mut left = 0_usize;
    let mut next = ABANDONED.swap(ptr::null_mut(), Acquire);
    while let Some(lookup) = NonNull::new(next) {
        // SAFETY: whoever took the list has it to himself.
        let Lookup { process, thread, next: after, .. } = unsafe { lookup.as_ref() };
        let after = after.load(Relaxed);
        if *process == thread::process() && thread::exists(thread.load(Relaxed)) {
            keep(lookup);
            left = left.saturating_add(1);
        } else {
            // SAFETY: the thread is gone, or was another process's.
            unsafe { unmap(lookup) };
        }
        next = after;
    }
    left
}

/// Frees everything that a lookup still holds.
///
/// # Safety
///
/// The thread must be gone, and nobody else use it.
unsafe fn unmap(lookup: NonNull<Lookup>) {
    // SAFETY: the caller promises it.
    unsafe {
        drop(lookup.as_ref().result());
        lookup.as_ref().close();
        let mapping = lookup.as_ref().mapping;
        sys::unmap(mapping.start, mapping.len);
    }
}
