//! The modes that were last asked for, with timeouts to the nanosecond: a table of atomics, by the
//! socket's cookie.
//!
//! An entry is a hint that the caller checks against what the kernel holds. It may be missing: for
//! a socket that came from another process, or when another with the same place in the table has
//! taken it. By cookie and not by descriptor, it serves all duplicates of a socket, and a descriptor
//! that is closed and reused cannot find its predecessor's. A forked child has a copy.

use crate::time::Limit;

/// What was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub limit: Limit,
    /// It may not be in place yet: a thread is about to put it there.
    pub pending: bool,
}

const PENDING: u64 = 1 << 63;
/// More than any timeout.
const FOREVER: u64 = PENDING - 1;

/// The last request for the socket with this cookie.
pub fn get(cookie: u64) -> Option<Request> {
    let word = table::get(cookie)?;
    let limit = match word & !PENDING {
        0 => Limit::Nothing,
        FOREVER => Limit::Forever,
        nanoseconds => Limit::Nanoseconds(nanoseconds),
    };
    Some(Request { limit, pending: word & PENDING != 0 })
}

/// Notes a request that is about to be put in place.
pub fn begin(cookie: u64, limit: Limit) {
    table::set(cookie, word(limit) | PENDING);
}

/// Notes that it is in place, unless there is another by now.
pub fn end(cookie: u64, limit: Limit) {
    table::replace(cookie, word(limit) | PENDING, word(limit));
}

/// Notes that it could not be put in place, and that the mode is another, unless there is another by now.
pub fn take_back(cookie: u64, limit: Limit, mode: Limit) {
    if get(cookie) == Some(Request { limit, pending: true }) {
        table::set(cookie, word(mode));
    }
}

fn word(limit: Limit) -> u64 {
    match limit {
        Limit::Nothing => 0,
        Limit::Nanoseconds(nanoseconds) => nanoseconds,
        Limit::Forever => FOREVER,
    }
}

#[cfg(target_has_atomic = "64")]
mod table {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use super::super::ROUNDS;
    use super::PENDING;

    /// Cookies are handed out in sequences, so that sockets seldom clash while they are fewer than this.
    const ENTRIES: usize = 1 << 14;

    /// Two words that cannot be written at once. The second is the cookie disguised by the first,
    /// so that halves of two entries do not make one that is believed. Whether the request is pending
    /// does not count there, and so can change at once.
    struct Entry {
        limit: AtomicU64,
        disguised: AtomicU64,
    }

    static TABLE: [Entry; ENTRIES] =
        [const { Entry { limit: AtomicU64::new(0), disguised: AtomicU64::new(0) } }; ENTRIES];

    /// An odd multiplier is one-to-one, and this one (2^64 over the golden ratio) scatters well.
    fn disguise(cookie: u64, limit: u64) -> u64 {
        cookie ^ (limit & !PENDING).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn entry(cookie: u64) -> &'static Entry {
        &TABLE[cookie as usize % ENTRIES]
    }

    pub fn get(cookie: u64) -> Option<u64> {
        let entry = entry(cookie);
        let limit = entry.limit.load(SeqCst);
        (entry.disguised.load(SeqCst) == disguise(cookie, limit)).then_some(limit)
    }

    pub fn set(cookie: u64, limit: u64) {
        let entry = entry(cookie);
        // Another may be written between these two, in a signal handler for one. Who comes last mends it.
        for _ in 0..ROUNDS {
            entry.limit.store(limit, SeqCst);
            entry.disguised.store(disguise(cookie, limit), SeqCst);
            if entry.limit.load(SeqCst) == limit {
                break;
            }
        }
    }

    /// Only where the limit is the same but for [`PENDING`].
    pub fn replace(cookie: u64, before: u64, after: u64) {
        if get(cookie) == Some(before) {
            let _ = entry(cookie).limit.compare_exchange(before, after, SeqCst, SeqCst);
        }
    }
}

/// Where 64-bit atomics are missing the table is empty.
#[cfg(not(target_has_atomic = "64"))]
mod table {
    pub fn get(_cookie: u64) -> Option<u64> {
        None
    }

    pub fn set(_cookie: u64, _limit: u64) {}

    pub fn replace(_cookie: u64, _before: u64, _after: u64) {}
}

#[cfg(all(test, target_has_atomic = "64"))]
mod tests {
    use super::{Request, begin, end, get, take_back};
    use crate::time::Limit::{Forever, Nanoseconds, Nothing};

    #[test]
    fn an_entry_is_found_by_its_own_cookie_alone() {
        for limit in [Nanoseconds(100), Nothing, Forever] {
            begin(5, limit);
            assert!(get(5) == Some(Request { limit, pending: true }));
            end(5, limit);
            assert!(get(5) == Some(Request { limit, pending: false }));
            assert!(get(5 + (1 << 14)).is_none());
        }
        begin(5 + (1 << 14), Nanoseconds(200));
        assert!(get(5).is_none());
        assert!(get(5 + (1 << 14)) == Some(Request { limit: Nanoseconds(200), pending: true }));
    }

    #[test]
    fn what_was_overtaken_neither_ends_nor_takes_back() {
        begin(6, Nanoseconds(100));
        begin(6, Forever);
        end(6, Nanoseconds(100));
        take_back(6, Nanoseconds(100), Nothing);
        assert!(get(6) == Some(Request { limit: Forever, pending: true }));
        take_back(6, Forever, Nothing);
        assert!(get(6) == Some(Request { limit: Nothing, pending: false }));
    }
}
