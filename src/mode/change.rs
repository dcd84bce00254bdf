//! Sets the mode of a socket.
//!
//! A mode is four settings, written one after the other ([`Step`]), while other threads and processes may read them and
//! set modes too. The order of [`Settings::steps`] makes every state between two modes read as one of the two, or as
//! the longest timeout with the same ticks. Each setter writes its word first and reads it again last. A setter that
//! then finds another word begins anew, so that all settings are those of the setter that began last. The tests go
//! through all states.

use std::os::fd::BorrowedFd;

use libc::{SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, timeval};

use super::settings::{Settings, option, ticks};
use super::ticks::Tick;
use super::word::{self, Form, Home, Word};
use super::{Mode, Side, kinds};
use crate::errno::Result;
use crate::time::Timeout;
use crate::{options, sys};

/// How many times a change is tried while others change the mode too.
const ROUNDS: u32 = 8;

/// One of the four settings, as it is written.
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
            let is_made = match old.and_then(|old| Some((old, self.replacement(old, tick)?))) {
                Some((old, new)) => new.replace(socket, old, tick)?,
                None => self.make_once(socket, old, tick)?,
            };
            if is_made {
                break;
            }
        }
        Ok(())
    }

    /// The new settings, if a timeout replaces another timeout of the same form. The old word tells then whether signals
    /// interrupt, and that the ticks differ, so that no other setting need be read.
    fn replacement(self, old: Word, tick: Tick) -> Option<Settings> {
        let (timeout, None) = (self.timeout?, self.interruptible) else { return None };
        let new = Settings::new(timeout, old.interruptible, old.form, Home::Socket, tick);
        // A new word that agrees with the old ticks as well must be written with more care.
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
            // A part of the mode is kept, so it matters whether other code has changed that part.
            Some(before) if self.keeps(before.mode(Side::Receive, tick)) => before.confirm(socket, tick)?,
            Some(before) => before,
            None => Settings::read(socket, tick)?,
        };
        let mode = before.mode(Side::Receive, tick);
        // In a later round another setter is at work, and a mixture of two modes may be read. The timeout of the first
        // round is kept.
        let timeout = *self.timeout.get_or_insert(mode.timeout);
        let form = match (timeout, before.word) {
            (Timeout::Nanoseconds(_), Some(Word { form, .. })) if form.has_share() => form,
            // Too short for a share, whatever the kind.
            (Timeout::Nanoseconds(short), _) if before.home == Home::Socket && tick.share(short) == 0 => Form::Polled,
            (Timeout::Nanoseconds(_), _) => kinds::form(socket)?,
            _ => Form::Blocking, // There is no timeout, and the form is not used.
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

/// Writes a word back that the kernel forgot. If it does not agree with the other settings, another mode was set
/// meanwhile, and the kernel forgot the word of that mode too.
pub fn bring_back(socket: BorrowedFd, word: Option<Word>) -> Result<()> {
    let tick = Tick::get()?;
    let mut settings = Settings { word, ..Settings::read_once(socket, tick)? };
    if !settings.is_whole(tick) {
        settings.word = settings.lost_word(tick);
    }
    settings.write_one(Step::Word, socket, tick)
}

/// Changes a listener so that `accept` does not wait in the kernel. Its mode stays the same. Until its mode is set the
/// next time, a wait on it costs more calls.
pub fn stop_kernel_wait(socket: BorrowedFd) -> Result<()> {
    // On a socket that does not listen `accept` fails at once.
    if options::is_nonblocking(socket)? || !options::is_listener(socket)? {
        return Ok(());
    }
    let tick = Tick::get()?;
    Settings::read(socket, tick)?.without_wait(tick).write_without_wait(socket, tick)
}

/// Clears the timeouts that a TCP connection inherits from its listener. An error is ignored, because it is no reason to
/// lose the connection. An inherited word means nothing without the timeouts.
pub fn clear_timeouts(socket: BorrowedFd) {
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        let _ = sys::set_option(socket, SOL_SOCKET, option, timeval { tv_sec: 0, tv_usec: 0 });
    }
}

impl Settings {
    /// Whether the mode of the socket was never set, and it is in the wanted mode already.
    fn is_untouched_as(self, wanted: Settings) -> bool {
        self.word.is_none()
            && Settings { word: None, ..wanted } == self
            && wanted == Settings { nonblocking: false, ..wanted }
    }

    fn has_form(self, form: Form) -> bool {
        self.word.is_some_and(|word| word.form == form)
    }

    /// Writes the settings in which two timeouts of the same form differ. True if no other mode was set meanwhile.
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
        // Where a policy refuses this question the flag is clear: `accept` asks the same before it sets the flag.
        let is_flag_set = options::is_nonblocking(socket).unwrap_or(false);
        Ok(word::in_socket(socket) == Some(self.word) && !is_flag_set)
    }

    /// Writes all four settings; `before` was read. The word comes first: a setter that finds another word after its last
    /// write knows that another mode was set meanwhile.
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

    /// These settings, but with the longest rest if the new word agrees with the old ticks too: together they would be
    /// read as a timeout that is too short.
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
            // A provisional word was there for a while.
            && (self.provisional(before) == self || has_ticks()?))
    }

    /// Writes the old settings back. Errors are ignored: a policy may refuse some of the calls.
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

    /// The order of the writes. No state between two modes may read as a third mode: a send must not find `O_NONBLOCK`
    /// clear without a timeout, nor the settings of a timeout with the `O_NONBLOCK` of another mode.
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

    /// Writes what [`Settings::without_wait`] changes. The mark comes before the flag: without the mark the flag reads as
    /// other code's. The mark is written again if a mode was set between the two.
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
