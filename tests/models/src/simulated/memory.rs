//! What a lookup has besides atomics, each counted: memory that is mapped, descriptors, and lists of addresses.

use std::cell::RefCell;
use std::ffi::{c_char, c_int, c_void};
use std::ops::Range;
use std::os::fd::RawFd;
use std::ptr::null_mut;
use std::rc::Rc;

use libc::addrinfo;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};

const PAGE: usize = 4096;

struct Region {
    range: Range<usize>,
    /// Whoever uses the memory touches this, and loom finds those that do so at once.
    used: UnsafeCell<()>,
    is_mapped: bool,
}

#[derive(Default)]
struct Held {
    regions: Vec<Rc<RefCell<Region>>>,
    readable: Vec<(RawFd, Rc<AtomicBool>)>,
    lists: Vec<usize>,
    layouts: Vec<(usize, std::alloc::Layout)>,
}

thread_local! {
    static HELD: RefCell<Held> = RefCell::default();
}

/// Begins an execution.
pub fn begin() {
    for (start, layout) in HELD.take().layouts {
        // SAFETY: it was allocated so, and the execution that used it is over.
        unsafe { std::alloc::dealloc(start as *mut u8, layout) };
    }
}

pub fn map(len: usize) -> *mut c_void {
    let layout = std::alloc::Layout::from_size_align(len, PAGE).expect("a length");
    // SAFETY: the length is not 0.
    let start = unsafe { std::alloc::alloc_zeroed(layout) };
    let range = start.addr()..start.addr() + len;
    let region = Region { range, used: UnsafeCell::new(()), is_mapped: true };
    HELD.with_borrow_mut(|held| {
        held.layouts.push((start.expose_provenance(), layout));
        held.regions.push(Rc::new(RefCell::new(region)));
    });
    start.cast()
}

/// It is only forgotten, so that whoever still uses it is found out.
pub fn unmap(start: *mut c_void, len: usize) {
    touch(start);
    let region = region(start.addr()).expect("what was mapped is unmapped");
    assert!(region.borrow().range == (start.addr()..start.addr() + len), "all of it is unmapped");
    region.borrow_mut().is_mapped = false;
}

/// The memory there is used, and nobody else may do so at once.
pub fn touch(address: *mut c_void) {
    must_be_mapped(address.addr());
    if let Some(region) = region(address.addr()) {
        region.borrow().used.with_mut(|_| ());
    }
}

fn region(address: usize) -> Option<Rc<RefCell<Region>>> {
    HELD.with_borrow(|held| held.regions.iter().find(|region| region.borrow().range.contains(&address)).cloned())
}

pub fn must_be_mapped(address: usize) {
    assert!(region(address).is_none_or(|region| region.borrow().is_mapped), "memory that was unmapped is used");
}

/// A descriptor that is not readable yet. Its number is no other's in this execution.
pub fn descriptor() -> RawFd {
    const FIRST: RawFd = 100;
    let number = FIRST + HELD.with_borrow(|held| held.readable.len()) as RawFd;
    // SAFETY: plain system calls on descriptors that are ours.
    unsafe {
        let fd = libc::eventfd(0, libc::EFD_CLOEXEC);
        assert!(fd >= 0 && libc::dup2(fd, number) == number, "there are descriptors");
        libc::close(fd);
    }
    let readable = Rc::new(AtomicBool::new(false));
    HELD.with_borrow_mut(|held| held.readable.push((number, readable)));
    number
}

fn is_open(fd: RawFd) -> bool {
    // SAFETY: a plain system call.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

fn readable(fd: RawFd) -> Rc<AtomicBool> {
    assert!(is_open(fd), "a descriptor that was closed is used");
    HELD.with_borrow(|held| {
        let (_, readable) = held.readable.iter().find(|(number, _)| *number == fd).expect("it was made here");
        readable.clone()
    })
}

/// What is written to a descriptor happens before the poll that tells of it.
pub fn make_readable(fd: RawFd) {
    readable(fd).store(true, Release);
}

pub fn is_readable(fd: RawFd) -> bool {
    readable(fd).load(Acquire)
}

/// Nothing is held any more but these descriptors.
pub fn must_be_free_but_for(open: &[RawFd]) {
    HELD.with_borrow(|held| {
        assert!(held.lists.is_empty(), "addresses are left");
        assert!(held.regions.iter().all(|region| !region.borrow().is_mapped), "memory is left");
        let left = held.readable.iter().find(|(fd, _)| is_open(*fd) && !open.contains(fd));
        assert!(left.is_none(), "a descriptor is left");
    });
}

/// In place of the resolver's: every name has one address, and no name is numeric.
#[unsafe(no_mangle)]
extern "C" fn getaddrinfo(
    _: *const c_char,
    _: *const c_char,
    hints: *const addrinfo,
    list: *mut *mut addrinfo,
) -> c_int {
    // SAFETY: they are as getaddrinfo(3) has them.
    unsafe {
        if (*hints).ai_flags & libc::AI_NUMERICHOST != 0 {
            return libc::EAI_NONAME;
        }
        let found = addrinfo { ai_addr: null_mut(), ai_canonname: null_mut(), ai_next: null_mut(), ..*hints };
        list.write(Box::into_raw(Box::new(found)));
        HELD.with_borrow_mut(|held| held.lists.push((*list).addr()));
    }
    0
}

#[unsafe(no_mangle)]
extern "C" fn freeaddrinfo(list: *mut addrinfo) {
    let before = HELD.with_borrow_mut(|held| {
        let before = held.lists.len();
        held.lists.retain(|held| *held != list.addr());
        before - held.lists.len()
    });
    assert!(before == 1, "a list of addresses is freed twice");
    // SAFETY: it was made so, and is freed once.
    drop(unsafe { Box::from_raw(list) });
}
