//! A process that can open no more descriptors.

mod common;

use common::call::{accept, recv, send, settimeout};
use common::*;
use libc::EMFILE;

const SHORT: f64 = 0.005;
const LONG: f64 = 0.3;

#[test]
fn without_a_free_descriptor_accept_fails_and_loses_nothing() {
    let child = in_child(|| {
        for (kind, seconds) in product(Kind::listening(), [FOREVER, LONG, SHORT, 0.0]) {
            let listener = Listener::new(kind, 4);
            settimeout(&listener.fd, seconds).unwrap();
            let client = listener.connect();
            assert_eq!(send(&client, b"x", 0), Ok(1));
            assert_ne!(poll(&listener.fd, libc::POLLIN, SLACK), 0);
            let allowed = limit_descriptors(0);
            assert_eq!(accept(&listener.fd).err(), Some(EMFILE));
            limit_descriptors(allowed);
            let connection = accept(&listener.fd).expect("accept");
            let mut data = [0];
            assert_eq!(recv(&connection, &mut data, 0), Ok(1));
            assert_eq!(data, *b"x");
        }
        0
    });
    assert!(child.success(), "{child}");
}

/// Lets this process open no more descriptors than so many, and tells how many it could before.
fn limit_descriptors(most: libc::rlim_t) -> libc::rlim_t {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to locals.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit), 0);
        let changed = libc::rlimit { rlim_cur: most, ..limit };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const changed), 0);
    }
    limit.rlim_cur
}
