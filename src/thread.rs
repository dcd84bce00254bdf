//! Starting a thread that the host program need not know of.

use std::mem::MaybeUninit;
use std::{ptr, slice};

use libc::{c_int, c_void};

use crate::errno::{Errno, Result};

/// Enough for the resolver and its plug-ins.
const STACK: usize = 256 << 10;

/// What a thread runs.
pub type Body = extern "C" fn(*mut c_void) -> *mut c_void;

/// Starts a detached thread, with a small stack and with all signals blocked: they are the program's.
pub fn start(body: Body, argument: *mut c_void) -> Result<()> {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let attributes = attributes.as_mut_ptr();
    let mut signals = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    let mut thread = MaybeUninit::<libc::pthread_t>::uninit();
    // SAFETY: each of the pointers is to a local that is filled in before it is read. A thread starts
    // with the signals that its maker has blocked.
    let error: c_int = unsafe {
        libc::pthread_attr_init(attributes);
        libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED);
        libc::pthread_attr_setstacksize(attributes, STACK.saturating_add(thread_local_data()));
        libc::sigfillset(signals.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, signals.as_ptr(), before.as_mut_ptr());
        let error = libc::pthread_create(thread.as_mut_ptr(), attributes, body, argument);
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        libc::pthread_attr_destroy(attributes);
        error
    };
    // What it says for too many threads, `EAGAIN`, means something else here.
    if error == 0 { Ok(()) } else { Err(Errno::NOMEM) }
}

/// At most what the program and its libraries keep for each thread, which glibc takes from its stack.
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
