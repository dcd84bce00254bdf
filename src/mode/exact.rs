//! The exact timeouts, to the nanosecond: a table of atomics, by the socket's cookie.
//!
//! An entry is a hint that the caller checks against what the kernel holds. It may be missing: for
//! a socket that came from another process, or when another with the same place in the table has
//! taken it. By cookie and not by descriptor, it serves all duplicates of a socket, and a descriptor
//! that is closed and reused cannot find its predecessor's. A forked child has a copy.

#[cfg(target_has_atomic = "64")]
mod table {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    /// Cookies are handed out in sequence, so that this many sockets share the table without a clash.
    const ENTRIES: usize = 1 << 14;

    /// Two words that cannot be written at once. The second is the cookie disguised by the first,
    /// so that halves of two entries do not make one that is believed.
    struct Entry {
        nanoseconds: AtomicU64,
        disguised: AtomicU64,
    }

    static TABLE: [Entry; ENTRIES] =
        [const { Entry { nanoseconds: AtomicU64::new(0), disguised: AtomicU64::new(0) } }; ENTRIES];

    /// An odd multiplier is one-to-one, and this one (2^64 over the golden ratio) scatters well.
    fn disguise(cookie: u64, nanoseconds: u64) -> u64 {
        cookie ^ nanoseconds.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    fn entry(cookie: u64) -> &'static Entry {
        &TABLE[cookie as usize % ENTRIES]
    }

    pub fn get(cookie: u64) -> Option<u64> {
        let entry = entry(cookie);
        let nanoseconds = entry.nanoseconds.load(Relaxed);
        (entry.disguised.load(Relaxed) == disguise(cookie, nanoseconds)).then_some(nanoseconds)
    }

    pub fn set(cookie: u64, nanoseconds: u64) {
        let entry = entry(cookie);
        entry.nanoseconds.store(nanoseconds, Relaxed);
        entry.disguised.store(disguise(cookie, nanoseconds), Relaxed);
    }
}

/// Where 64-bit atomics are missing the table is empty.
#[cfg(not(target_has_atomic = "64"))]
mod table {
    pub fn get(_cookie: u64) -> Option<u64> {
        None
    }

    pub fn set(_cookie: u64, _nanoseconds: u64) {}
}

pub use table::{get, set};

#[cfg(all(test, target_has_atomic = "64"))]
mod tests {
    use super::{get, set};

    #[test]
    fn an_entry_is_found_by_its_own_cookie_alone() {
        set(5, 100);
        assert_eq!(get(5), Some(100));
        assert_eq!(get(5 + (1 << 14)), None);
        set(5 + (1 << 14), 200);
        assert_eq!(get(5), None);
        assert_eq!(get(5 + (1 << 14)), Some(200));
    }
}
