//! A thread of which the program notices nothing, on a stack that the C library did not make.
//!
//! glibc keeps its stacks, with the thread-local data in them, and gives them to later threads. In a child that is forked
//! during a lookup, such a stack would hold data of a resolver that was stopped in the middle of its work.

use std::ffi::c_long;
use std::mem::{self, MaybeUninit};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::{ptr, slice};

use libc::{c_int, c_void, pthread_t};

use crate::errno::{Errno, Result};

/// Enough for the resolver and its plug-ins.
const STACK: usize = 256 << 10;

/// The signals that an instruction or a system call of the thread itself raises. They are not blocked: the kernel would end
/// the process if one came while it is blocked, and the program's handler must see it.
const SYNCHRONOUS: [c_int; 7] =
    [libc::SIGSYS, libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP, libc::SIGABRT];

unsafe extern "C" {
    // The libc crate does not have it in all versions that will do.
    fn pthread_attr_setstack(attributes: *mut libc::pthread_attr_t, stack: *mut c_void, size: usize) -> c_int;
}

/// What a thread runs.
pub type Body = extern "C" fn(*mut c_void) -> *mut c_void;

/// The size of a stack: what [`Body`] needs, and what the C library takes for itself and for thread-local data.
pub fn stack_size() -> usize {
    // The address of the function, 1 if there is none, 0 while it is not known. It is kept because dlsym takes a lock.
    static MINIMUM: AtomicUsize = AtomicUsize::new(0);
    let mut minimum = MINIMUM.load(Relaxed);
    if minimum == 0 {
        // Rust's std does the same. glibc has this function, but private to link to, and not in a static program.
        // SAFETY: the name ends with a NUL.
        minimum = (unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__pthread_get_minstack".as_ptr()) } as usize).max(1);
        MINIMUM.store(minimum, Relaxed);
    }
    if minimum == 1 {
        return STACK.saturating_add(thread_local_data());
    }
    // SAFETY: the function has that type, and looks at no attribute.
    let minimum = unsafe {
        let mut attributes = MaybeUninit::<libc::pthread_attr_t>::zeroed();
        let minimum: unsafe extern "C" fn(*const libc::pthread_attr_t) -> usize = mem::transmute(minimum as *const ());
        libc::pthread_attr_init(attributes.as_mut_ptr());
        let size = minimum(attributes.as_ptr());
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        size
    };
    STACK.saturating_add(minimum)
}

/// An upper bound of the thread-local data of the program and its libraries. glibc takes it from the stack of a thread.
fn thread_local_data() -> usize {
    unsafe extern "C" fn add(object: *mut libc::dl_phdr_info, _: usize, total: *mut c_void) -> c_int {
        // SAFETY: the pointers are to an object that stays loaded meanwhile, to its program headers, and to `total`.
        let (headers, total) = unsafe {
            let object = &*object;
            (slice::from_raw_parts(object.dlpi_phdr, object.dlpi_phnum.into()), &mut *total.cast::<usize>())
        };
        for header in headers.iter().filter(|header| header.p_type == libc::PT_TLS) {
            *total = total.saturating_add(header.p_memsz as usize).saturating_add(header.p_align as usize);
        }
        0
    }
    let mut total: usize = 0;
    // SAFETY: `add` is called before this returns, with what it expects.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut total).cast()) };
    total
}

/// Starts a thread, to be joined or detached. Signals from outside are meant for the program's own threads, and are blocked.
///
/// # Safety
///
/// The stack must stay until the thread is gone, and the argument be what `body` expects.
pub unsafe fn start(stack: *mut c_void, size: usize, body: Body, argument: *mut c_void) -> Result<pthread_t> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut thread = MaybeUninit::<pthread_t>::uninit();
    // SAFETY: each of the pointers is to a local that is filled in before it is read. A thread starts
    // with the signals that its maker has blocked.
    unsafe {
        libc::pthread_attr_init(attributes);
        let mut error = pthread_attr_setstack(attributes, stack, size);
        libc::sigfillset(signals.as_mut_ptr());
        for signal in SYNCHRONOUS {
            libc::sigdelset(signals.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, signals.as_ptr(), before.as_mut_ptr());
        if error == 0 {
            error = libc::pthread_create(thread.as_mut_ptr(), attributes, body, argument);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        libc::pthread_attr_destroy(attributes);
        // Not its `EAGAIN` for too many threads, which means "not ready" in this library.
        if error == 0 { Ok(thread.assume_init()) } else { Err(Errno::NOMEM) }
    }
}

/// Waits until a thread is gone.
///
/// # Safety
///
/// It must be neither joined nor detached.
pub unsafe fn join(thread: pthread_t) {
    // SAFETY: the caller promises it.
    unsafe { libc::pthread_join(thread, ptr::null_mut()) };
}

/// Detaches a thread.
///
/// # Safety
///
/// It must be neither joined nor detached.
pub unsafe fn detach(thread: pthread_t) {
    // SAFETY: the caller promises it.
    unsafe { libc::pthread_detach(thread) };
}

/// The kernel's number of this process.
pub fn process() -> c_int {
    // SAFETY: it takes no argument and cannot fail.
    unsafe { libc::getpid() }
}

/// The kernel's number of the calling thread.
pub fn id() -> c_int {
    // SAFETY: it takes no argument and cannot fail.
    unsafe { libc::syscall(libc::SYS_gettid) as c_int }
}

/// Whether this process may still have this thread. When a thread ends the kernel frees its memory first and its number last.
pub fn exists(id: c_int) -> bool {
    // SAFETY: signal 0 is none.
    let sent = unsafe { libc::syscall(libc::SYS_tgkill, c_long::from(process()), c_long::from(id), 0 as c_long) };
    sent == 0 || Errno::last().code() != libc::ESRCH
}

/// Keeps the object that holds this code loaded, because a detached thread may still run it. The object may be a plug-in that
/// has the static library in it.
pub fn pin() {
    static PINNED: AtomicUsize = AtomicUsize::new(0);
    if PINNED.load(Relaxed) != 0 {
        return;
    }
    let mut object = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: the pointers are to this function and to a local, which is filled in if the result says so. The name
    // stays as long as the object, and nothing new is loaded.
    unsafe {
        if libc::dladdr(pin as fn() as *const c_void, object.as_mut_ptr()) != 0 {
            libc::dlopen((*object.as_ptr()).dli_fname, libc::RTLD_LAZY | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
        }
    }
    PINNED.store(1, Relaxed);
}
