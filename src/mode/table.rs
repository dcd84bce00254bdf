//! The words of sockets that have no place for one: a table of the process, by the socket's cookie.
//!
//! An entry may be missing: another process set the mode, or the entry of another socket has taken its place. The key is the
//! cookie, not the descriptor. So all duplicates of a socket find its entry, and a number that was closed and reused does
//! not find the entry of the earlier socket. A forked child has a copy of the table.

#[cfg(target_has_atomic = "64")]
mod atomic {
    use libc::c_int;

    use crate::atomic::{AtomicU64, Ordering::Relaxed};

    /// The kernel numbers cookies in sequence, so that sockets seldom clash while there are fewer of them than this.
    const ENTRIES: usize = 1 << 14;

    /// An entry is one atomic number: the word in the upper half, and in the lower half the part of the cookie that the
    /// place does not tell. The number of a word is never 0, and so an entry is never 0.
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
