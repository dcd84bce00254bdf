//! The words of sockets that cannot keep their own: a table of the process, by the socket's cookie.
//!
//! An entry may be missing: for a socket that another process set up, or once a socket with the same
//! place has taken it. By cookie and not by descriptor, it serves all duplicates of a socket, and a
//! descriptor that is closed and reused cannot find its predecessor's. A forked child has a copy.

#[cfg(target_has_atomic = "64")]
mod atomic {
    use libc::c_int;

    use crate::atomic::{AtomicU64, Ordering::Relaxed};

    /// Cookies are handed out in sequences, so that sockets seldom clash while they are fewer than this.
    const ENTRIES: usize = 1 << 14;

    /// An entry is written and read at once: the number above, what the place does not tell of the
    /// cookie below. No number of a word is 0, and so neither is an entry.
    static TABLE: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];

    fn entry(cookie: u64) -> (&'static AtomicU64, u64) {
        (&TABLE[cookie as usize % ENTRIES], (cookie / ENTRIES as u64) & u64::from(u32::MAX))
    }

    pub fn get(cookie: u64) -> Option<c_int> {
        let (entry, tag) = entry(cookie);
        let held = entry.load(Relaxed);
        (held != 0 && held & u64::from(u32::MAX) == tag).then_some((held >> 32) as c_int)
    }

    pub fn set(cookie: u64, number: c_int) {
        let (entry, tag) = entry(cookie);
        entry.store((u64::from(number as u32) << 32) | tag, Relaxed);
    }

    #[cfg(test)]
    mod tests {
        use super::{ENTRIES, get, set};

        #[test]
        fn an_entry_is_found_by_its_own_cookie_alone() {
            let other = 5 + ENTRIES as u64;
            set(5, -7);
            assert_eq!((get(5), get(other)), (Some(-7), None));
            set(other, -8);
            assert_eq!((get(5), get(other)), (None, Some(-8)));
        }
    }
}

/// Where 64-bit atomics are missing the table is empty.
#[cfg(not(target_has_atomic = "64"))]
mod atomic {
    pub fn get(_cookie: u64) -> Option<libc::c_int> {
        None
    }

    pub fn set(_cookie: u64, _number: libc::c_int) {}
}

pub use atomic::{get, set};
