//! Sets the mode of a socket.
//!
//! Four things are set one after the other, and other threads and processes look on and set modes themselves.
//! So they are written in an order in which every state between two modes reads as one of the two, or as the
//! longest timeout that has such ticks. Each setter writes its word first and looks at it last. Whoever finds
//! another begins anew, and so the last to begin leaves all of its settings. The tests go through all states.

use std::os::fd::BorrowedFd;

use libc::{SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, timeval};

use super::settings::{Settings, option, ticks};
use super::ticks::Tick;
use super::word::{self, Form, Home, Word};
use super::{Mode, Side, kinds};
use crate::errno::Result;
use crate::time::Timeout;
use crate::{options, sys};

/// How often to try again when others change the mode meanwhile.
const ROUNDS: u32 = 8;

/// One of the four things that are set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Word,
    Receive,
    Send,
    Flag,
}

/// What is to be changed of a mode; the rest is kept.
#[derive(Clone, Copy)]
struct Change {
    timeout: Option<Timeout>,
    interruptible: Option<bool>,
}

/// Sets the socket's mode and keeps whether signals interrupt it.
pub fn set(socket: BorrowedFd, timeout: Timeout) -> Result<()> {
    Change { timeout: Some(timeout), interruptible: None }.make(socket)
}

/// Sets whether signals interrupt the socket and keeps its mode.
pub fn set_interruptible(socket: BorrowedFd, on: bool) -> Result<()> {
    Change { timeout: None, interruptible: Some(on) }.make(socket)
}

impl Change {
    fn make(mut self, socket: BorrowedFd) -> Result<()> {
        let tick = Tick::get()?;
        for _ in 0..ROUNDS {
            let old = word::in_socket(socket).flatten();
            let is_made = match old.and_then(|old| self.replacement(old, tick).zip(Some(old))) {
                Some((new, old)) => new.replace(socket, old, tick)?,
                None => self.make_once(socket, old, tick)?,
            };
            if is_made {
                break;
            }
        }
        Ok(())
    }

    /// The settings of the mode, if it is another timeout of which the word alone tells what is kept and that the ticks
    /// differ, so that neither need be read.
    fn replacement(self, old: Word, tick: Tick) -> Option<Settings> {
        let (timeout, None) = (self.timeout?, self.interruptible) else { return None };
        let new = Settings::new(timeout, old.interruptible, old.form, Home::Socket, tick);
        // A word that would pass for one of the ticks before takes more care.
        let is_simple = old.form.has_share() && new.has_form(old.form) && !old.agrees_with(new.receive);
        is_simple.then_some(new)
    }

    fn keeps(self, mode: Mode) -> bool {
        self.timeout.is_none_or(|timeout| timeout == mode.timeout)
    }

    /// Makes the change, and tells whether no other was made meanwhile.
    fn make_once(&mut self, socket: BorrowedFd, old: Option<Word>, tick: Tick) -> Result<bool> {
        let guessed = old.map_or(Ok(None), |old| Settings::guess(socket, old, tick))?;
        let before = match guessed {
            // What is kept must be there: now it matters whether other code has touched it.
            Some(before) if self.keeps(before.mode(Side::Receive, tick)) => before.confirm(socket, tick)?,
            Some(before) => before,
            None => Settings::read(socket, tick)?,
        };
        let mode = before.mode(Side::Receive, tick);
        // In another round others have set a mode meanwhile, and what is read may be of two modes. The first is kept.
        let timeout = *self.timeout.get_or_insert(mode.timeout);
        let form = match (timeout, before.word) {
            (Timeout::Nanoseconds(_), Some(Word { form, .. })) if form.has_share() => form,
            // Too short for a share, whatever the kind.
            (Timeout::Nanoseconds(short), _) if before.home == Home::Socket && tick.share(short) == 0 => Form::Polled,
            (Timeout::Nanoseconds(_), _) => kinds::form(socket)?,
            _ => Form::Blocking, // It has no timeout to be of a form.
        };
        let interruptible = self.interruptible.unwrap_or(mode.interruptible);
        let wanted = Settings::new(timeout, interruptible, form, before.home, tick);
        if before == wanted || before.is_untouched_as(wanted) {
            return Ok(true);
        }
        let refused = |_: &_| before.restore(socket, tick);
        wanted.write(socket, before, tick).inspect_err(refused)?;
        wanted.is_in_place(socket, before, tick).inspect_err(refused)
    }
}

/// Brings a word back that the kernel forgot. If it does not go with the others, a mode was set meanwhile whose word was
/// forgotten with it.
pub fn bring_back(socket: BorrowedFd, word: Option<Word>) -> Result<()> {
    let tick = Tick::get()?;
    let mut settings = Settings { word, ..Settings::read_once(socket, tick)? };
    if !settings.is_whole(tick) {
        settings.word = settings.lost_word(tick);
    }
    settings.write_one(Step::Word, socket, tick)
}

/// Makes a listener one on which `accept` does not wait in the kernel, in the same mode. Only waiting costs
/// it more calls, until its mode is next set.
pub fn stop_kernel_wait(socket: BorrowedFd) -> Result<()> {
    // On a socket that does not listen it fails at once.
    if options::is_nonblocking(socket)? || !options::is_listener(socket)? {
        return Ok(());
    }
    let tick = Tick::get()?;
    Settings::read(socket, tick)?.without_wait(tick).write_without_wait(socket, tick)
}

/// Takes away the timeouts that a TCP connection inherits from its listener. They are there to be cleared
/// or the call is needless: an error would be no reason to lose the connection. A word that is inherited
/// means nothing without them.
pub fn clear_timeouts(socket: BorrowedFd) {
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        let _ = sys::set_option(socket, SOL_SOCKET, option, timeval { tv_sec: 0, tv_usec: 0 });
    }
}

impl Settings {
    /// Whether they are those of a socket whose mode was never set, and which is in that mode.
    fn is_untouched_as(self, wanted: Settings) -> bool {
        self.word.is_none()
            && Settings { word: None, ..wanted } == self
            && wanted == Settings { nonblocking: false, ..wanted }
    }

    fn has_form(self, form: Form) -> bool {
        self.word.is_some_and(|word| word.form == form)
    }

    /// Writes what a timeout and another of the same form differ in, and tells whether no other mode was set meanwhile.
    fn replace(self, socket: BorrowedFd, old: Word, tick: Tick) -> Result<bool> {
        for step in [Step::Word, Step::Receive, Step::Send] {
            self.write_one(step, socket, tick).inspect_err(|_| {
                if let Ok(send) = ticks(socket, Side::Send, tick) {
                    let before = Settings::with_send(old, send);
                    let _ = before.write_one(Step::Word, socket, tick);
                    let _ = before.write_one(Step::Receive, socket, tick);
                }
            })?;
        }
        // Where a policy refuses to tell of the flag, no `accept` has set it, which asks the same before.
        let is_flag_set = options::is_nonblocking(socket).unwrap_or(false);
        Ok(word::in_socket(socket) == Some(self.word) && !is_flag_set)
    }

    /// Writes all of them; `before` is what was read. The word comes first: whoever finds another than its
    /// own when it has written all knows that another mode was set meanwhile.
    fn write(self, socket: BorrowedFd, before: Settings, tick: Tick) -> Result<()> {
        let provisional = self.provisional(before);
        for step in self.steps(before, tick) {
            provisional.write_one(step, socket, tick)?;
        }
        if provisional != self && word::read(socket) == (provisional.home, provisional.word) {
            self.write_one(Step::Word, socket, tick)?;
        }
        Ok(())
    }

    /// These settings, but with the longest rest if the word would pass for one of the ticks before, and make
    /// a timeout of them that is too short.
    pub fn provisional(self, before: Settings) -> Settings {
        let passes = |word: &Word| word.form.is_timeout() && word.agrees_with(before.receive);
        match self.word.filter(passes) {
            Some(word) if before.receive != self.receive => Settings { word: Some(word.with_longest_rest()), ..self },
            _ => self,
        }
    }

    /// Whether no other mode was set, and no `accept` has set the flag, while these were written.
    fn is_in_place(self, socket: BorrowedFd, before: Settings, tick: Tick) -> Result<bool> {
        let is_mine = self.home == Home::Nowhere || word::read(socket) == (self.home, self.word);
        let has_ticks = || ticks(socket, Side::Receive, tick).map(|ticks| ticks == self.receive);
        Ok(is_mine
            && options::is_nonblocking(socket)? == self.nonblocking
            // The word was another for a while.
            && (self.provisional(before) == self || has_ticks()?))
    }

    /// Writes back what was read, as far as that is permitted: a policy may refuse some of the calls.
    fn restore(self, socket: BorrowedFd, tick: Tick) {
        for step in [Step::Word, Step::Receive, Step::Send, Step::Flag] {
            let _ = self.write_one(step, socket, tick);
        }
    }

    fn write_one(self, step: Step, socket: BorrowedFd, tick: Tick) -> Result<()> {
        match step {
            Step::Word => word::write(socket, self.home, self.word),
            Step::Receive => set_ticks(socket, Side::Receive, self.receive, tick),
            Step::Send => set_ticks(socket, Side::Send, self.send, tick),
            Step::Flag => sys::set_nonblocking(socket, self.nonblocking),
        }
    }

    /// The order in which no state between is a mode that neither is. A send must not find `O_NONBLOCK`
    /// cleared without a timeout, nor a timeout's settings with a foreign `O_NONBLOCK`.
    pub fn steps(self, before: Settings, tick: Tick) -> [Step; 4] {
        use Step::*;
        if self.receive == 0 || self.receive >= tick.endless() {
            [Word, Flag, Receive, Send]
        } else if before.may_send_for_ever(tick) && !self.nonblocking {
            [Word, Receive, Send, Flag]
        } else {
            [Word, Receive, Flag, Send]
        }
    }

    /// Writes what [`Settings::without_wait`] changes. The mark comes before the flag, which would be other code's
    /// without it, and again if a mode was set between the two.
    fn write_without_wait(self, socket: BorrowedFd, tick: Tick) -> Result<()> {
        self.write_one(Step::Send, socket, tick)?;
        self.write_one(Step::Flag, socket, tick)?;
        if ticks(socket, Side::Send, tick)? != self.send {
            self.write_one(Step::Send, socket, tick)?;
        }
        Ok(())
    }
}

fn set_ticks(socket: BorrowedFd, side: Side, ticks: u64, tick: Tick) -> Result<()> {
    sys::set_option(socket, SOL_SOCKET, option(side), tick.to_timeval(ticks))
}
