//! A thread of loom's in place of the system's.

use std::cell::RefCell;
use std::rc::Rc;

use libc::{c_int, c_void, pthread_t};
use loom::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use loom::thread::{JoinHandle, ThreadId, current, spawn};

use crate::errno::Result;
use crate::memory;

pub type Body = extern "C" fn(*mut c_void) -> *mut c_void;

struct Thread {
    id: Option<ThreadId>,
    is_gone: Rc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
    is_detached: bool,
}

thread_local! {
    static THREADS: RefCell<Vec<Thread>> = const { RefCell::new(Vec::new()) };
}

/// Begins an execution.
pub fn begin() {
    THREADS.take();
}

pub fn stack_size() -> usize {
    1
}

pub unsafe fn start(stack: *mut c_void, _size: usize, body: Body, argument: *mut c_void) -> Result<pthread_t> {
    let number = THREADS.with_borrow(Vec::len);
    let is_gone = Rc::new(AtomicBool::new(false));
    let thread = Thread { id: None, is_gone: is_gone.clone(), handle: None, is_detached: false };
    THREADS.with_borrow_mut(|threads| threads.push(thread));
    let (stack, argument) = (stack.expose_provenance(), argument.expose_provenance());
    let handle = spawn(move || {
        let pointer = std::ptr::with_exposed_provenance_mut;
        THREADS.with_borrow_mut(|threads| threads[number].id = Some(current().id()));
        memory::touch(pointer(stack));
        body(pointer(argument));
        // It stands on its stack until it is gone.
        memory::touch(pointer(stack));
        is_gone.store(true, Release);
    });
    THREADS.with_borrow_mut(|threads| threads[number].handle = Some(handle));
    Ok(number as pthread_t)
}

pub unsafe fn join(thread: pthread_t) {
    let handle = THREADS.with_borrow_mut(|threads| {
        let thread = &mut threads[thread as usize];
        assert!(!thread.is_detached, "a thread that was detached is joined");
        thread.handle.take().expect("a thread is joined once")
    });
    handle.join().expect("a thread ends");
}

pub unsafe fn detach(thread: pthread_t) {
    THREADS.with_borrow_mut(|threads| {
        let thread = &mut threads[thread as usize];
        assert!(!thread.is_detached && thread.handle.is_some(), "a thread is detached or joined once");
        thread.is_detached = true;
    });
}

pub fn process() -> c_int {
    1
}

/// The kernel's number: the first is 1.
pub fn id() -> c_int {
    let id = Some(current().id());
    let number = THREADS.with_borrow(|threads| threads.iter().position(|thread| thread.id == id));
    number.expect("a thread that was started here") as c_int + 1
}

/// A thread's last step happens before the call that no longer finds it.
pub fn exists(id: c_int) -> bool {
    // The kernel has no thread 0, and does not say so.
    let Some(number) = usize::try_from(id - 1).ok() else { return true };
    let is_gone = THREADS.with_borrow(|threads| threads[number].is_gone.clone());
    !is_gone.load(Acquire)
}

pub fn pin() {}

/// Waits until all are gone, and tells whether every one was joined or detached.
pub fn wait_for_all() -> bool {
    let mut left = false;
    for number in 0..THREADS.with_borrow(Vec::len) {
        let (handle, is_detached) = THREADS.with_borrow_mut(|threads| {
            let thread = &mut threads[number];
            (thread.handle.take(), thread.is_detached)
        });
        left |= handle.is_some() && !is_detached;
        handle.map(|handle| handle.join().expect("a thread ends"));
    }
    !left
}
