//! Starting a thread that the host program need not know of.

use std::mem::MaybeUninit;
use std::ptr;

use libc::{c_int, c_void};

use crate::errno::{Errno, Result};

/// Enough for the resolver and its plug-ins.
const STACK: usize = 256 << 10;

/// What a thread runs.
pub type Body = extern "C" fn(*mut c_void) -> *mut c_void;

/// Starts a detached thread, with a small stack and with all signals blocked: they are the program's.
pub fn start(body: Body, argument: *mut c_void) -> Result<()> {
    match start_with_stack(STACK, body, argument) {
        // A program may have more thread-local data than that, which is taken from the stack.
        Err(Errno::INVAL) => start_with_stack(0, body, argument),
        result => result,
    }
    // What it says for too many threads, `EAGAIN`, means something else here.
    .map_err(|_| Errno::NOMEM)
}

/// With a stack of 0 bytes: of the usual size.
fn start_with_stack(stack: usize, body: Body, argument: *mut c_void) -> Result<()> {
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
        if stack > 0 {
            libc::pthread_attr_setstacksize(attributes, stack);
        }
        libc::sigfillset(signals.as_mut_ptr());
        libc::pthread_sigmask(libc::SIG_SETMASK, signals.as_ptr(), before.as_mut_ptr());
        let error = libc::pthread_create(thread.as_mut_ptr(), attributes, body, argument);
        libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), ptr::null_mut());
        libc::pthread_attr_destroy(attributes);
        error
    };
    if error == 0 { Ok(()) } else { Err(Errno(error)) }
}
