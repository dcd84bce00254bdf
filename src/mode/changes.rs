//! Whether modes change meanwhile: two counts, of the changes begun and of those ended, in the whole
//! process. Only when none was under way may what two system calls say be put together without asking
//! once more. (A child forked in the middle of a change always asks once more.)

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

static BEGUN: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

/// A moment, to be asked later whether anything changed since.
#[derive(Clone, Copy)]
pub struct Moment {
    ended: usize,
}

impl Moment {
    #[inline]
    pub fn now() -> Moment {
        Moment { ended: ENDED.load(SeqCst) }
    }

    /// No change was under way at that moment, and none has begun since.
    pub fn is_undisturbed(self) -> bool {
        BEGUN.load(SeqCst) == self.ended
    }
}

/// A change of a mode, for as long as it lives.
pub struct Change(());

impl Change {
    pub fn begin() -> Change {
        BEGUN.fetch_add(1, SeqCst);
        Change(())
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        ENDED.fetch_add(1, SeqCst);
    }
}
