//! Lookups that are waited for or abandoned, and the list of those that were: `src/name/lookup.rs` under loom.

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use crate::errno::{Errno, Result};
use crate::name::lookup::{Addresses, resolve_remote};
use crate::name::target::Service;
use crate::name::thread;
use crate::wait::Until;
use crate::{memory, sys};

fn look_up(token: c_int) -> Result<Addresses> {
    let token: Option<BorrowedFd> = sys::borrow(token).ok();
    resolve_remote(c"name", &Service::parse(c"80")?, Until { deadline: None, token })
}

/// Nothing is left of lookups whose threads are gone, once another begins.
fn sweep(token: c_int) {
    assert!(thread::wait_for_all(), "a thread is neither joined nor detached");
    let unused = memory::descriptor();
    assert!(look_up(unused).is_ok(), "a name has an address");
    memory::must_be_free_but_for(&[token, unused]);
}

fn cancelled() -> c_int {
    let token = memory::descriptor();
    memory::make_readable(token);
    token
}

/// One that nobody cancels ends with its result.
pub fn waited_for() {
    let token = memory::descriptor();
    assert!(look_up(token).is_ok_and(|addresses| addresses.iter().count() == 1));
    assert!(thread::wait_for_all());
    memory::must_be_free_but_for(&[token]);
}

/// It may end just when it is cancelled, and is then taken down once, by the one or the other.
pub fn cancelled_at_any_moment() {
    let token = memory::descriptor();
    let canceller = loom::thread::spawn(move || memory::make_readable(token));
    let found = look_up(token);
    assert!(found.is_ok() || found.as_ref().err() == Some(&Errno::CANCELED));
    drop(found);
    canceller.join().expect("it ends");
    sweep(token);
}

/// Another begins meanwhile, and unmaps what is left of it once its thread is gone.
pub fn abandoned_before_another() {
    let token = cancelled();
    assert!(look_up(token).is_err());
    assert!(look_up(token).is_err());
    sweep(token);
}

/// Two are abandoned at once: neither is lost from the list, and neither is unmapped twice.
pub fn two_abandoned_at_once() {
    let token = cancelled();
    let other = loom::thread::spawn(move || assert!(look_up(token).is_err()));
    assert!(look_up(token).is_err());
    other.join().expect("it ends");
    sweep(token);
}
