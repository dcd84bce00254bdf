//! Reads the four settings of a socket, and finds the mode that they mean.
//!
//! To read them takes several calls, and others may set a mode between the calls: see [`super::change`].

use std::os::fd::BorrowedFd;

use libc::{SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, c_int, timeval};

use super::ticks::{Scale, Tick};
use super::word::{self, Form, Home, Word};
use super::{Mode, Side};
use crate::errno::Result;
use crate::time::{self, Timeout};
use crate::{options, sys};

/// By how many ticks `SO_SNDTIMEO` exceeds `SO_RCVTIMEO` in a timeout of TCP.
const TCP_MARK: u64 = 1;
/// The same in a polled timeout. It is more than any rounding makes, and so little that a wait for it does no harm
/// if other code clears `O_NONBLOCK`.
const POLLED_MARK: u64 = 29;
/// By how many ticks `SO_SNDTIMEO` of a listener exceeds [`Tick::endless`] where this library has set `O_NONBLOCK` so
/// that `accept` does not wait. The mark has no part in the mode, so that it cannot undo a mode that is set meanwhile.
const LISTENER_MARK: u64 = 8;
/// The least share, in ticks, that has two halves for a Unix socket to wait.
const LEAST_UNIX_SHARE: u64 = 4;

/// How many times to read settings that others keep changing, and how many equal reads in a row are believed.
const READS: u32 = 128;
const EQUAL_READS: u32 = 5;

/// How many times, and for how many nanoseconds each, to wait for another setter to finish: it may have to wait for a
/// processor.
const NAPS: u32 = 50;
const NAP: u64 = 1_000_000;

/// The four settings of a socket that hold its mode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    pub home: Home,
    pub word: Option<Word>,
    /// `SO_RCVTIMEO` in ticks, 0 for none.
    pub receive: u64,
    /// `SO_SNDTIMEO` in ticks, 0 for none.
    pub send: u64,
    pub nonblocking: bool,
}

/// What the two timeouts look like. The truth value says that signals interrupt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Share(bool),
    Polled(bool),
    Listener(bool),
    Other,
}

/// One of the two timeouts in ticks, 0 for none.
pub fn ticks(socket: BorrowedFd, side: Side, tick: Tick) -> Result<u64> {
    let value: timeval = sys::get_option(socket, SOL_SOCKET, option(side))?;
    Ok(tick.to_ticks(value))
}

pub fn option(side: Side) -> c_int {
    match side {
        Side::Receive => SO_RCVTIMEO,
        Side::Send => SO_SNDTIMEO,
    }
}

impl Settings {
    /// Reads the settings, and reads again while they may be torn: others may set a mode between the calls. A mode that is
    /// just being set is complete soon. Settings that stay torn are a flag and timeouts of other code, and then the word
    /// is not believed.
    pub fn read(socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let mut settings = Settings::read_once(socket, tick)?;
        let mut equal = 0;
        for _ in 0..READS {
            if settings.is_whole(tick) {
                return Ok(settings);
            }
            let before = settings;
            settings = Settings::read_once(socket, tick)?;
            if settings != before {
                equal = 0;
                continue;
            }
            equal += 1;
            if equal == EQUAL_READS {
                if settings.may_stop_waiting(tick) && options::is_listener(socket)? {
                    return Ok(settings.without_wait(tick));
                }
                if !settings.is_ambiguous(tick) {
                    return Ok(settings);
                }
            }
            if equal > EQUAL_READS {
                let _ = sys::poll(&mut [], Some(time::span(NAP)));
            }
            if equal == EQUAL_READS + NAPS {
                return Ok(Settings { word: None, ..settings });
            }
        }
        // They change faster than they can be read. The kernel decides then whether a call waits.
        Ok(Settings { nonblocking: false, ..settings })
    }

    /// Guesses the other settings from the word and its ticks, if these two agree. The guess is wrong only if other code
    /// has changed the others.
    pub fn guess(socket: BorrowedFd, word: Word, tick: Tick) -> Result<Option<Settings>> {
        let receive = ticks(socket, Side::Receive, tick)?;
        let is_of_mode = (receive != 0) == (word.form.is_timeout() || word.interruptible);
        let agrees = is_of_mode && word.agrees_with(receive);
        Ok(agrees.then(|| Settings::of_word(word, receive, Home::Socket)))
    }

    /// Reads the settings that were guessed.
    pub fn confirm(self, socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let send = ticks(socket, Side::Send, tick)?;
        let read = Settings { send, nonblocking: options::is_nonblocking(socket)?, ..self };
        if read == self { Ok(read) } else { Settings::read(socket, tick) }
    }

    /// The settings that belong to a word and its ticks.
    fn of_word(word: Word, receive: u64, home: Home) -> Settings {
        let mark = u64::from(word.interruptible);
        let send = match word.form {
            _ if receive == 0 => 0,
            Form::Polled => receive + POLLED_MARK + mark,
            Form::Unix => (receive / 2 + mark).saturating_sub(1),
            _ => receive + TCP_MARK + mark,
        };
        let nonblocking = matches!(word.form, Form::Polled | Form::NonBlocking);
        Settings { home, word: Some(word), receive, send, nonblocking }
    }

    /// The settings that belong to the word of a share and its `SO_SNDTIMEO`. Half of a share may come from two shares, an
    /// even and an odd one, and the word tells from which.
    pub fn with_send(word: Word, send: u64) -> Settings {
        let mark = u64::from(word.interruptible);
        let receive = match word.form {
            Form::Unix => {
                let even = 2 * (send + 1 - mark.min(send));
                even + u64::from(word.agrees_with(even + 1))
            }
            _ => send.saturating_sub(TCP_MARK + mark),
        };
        Settings::of_word(word, receive, Home::Socket)
    }

    /// Whether all of them belong to one mode, as [`Settings::new`] or [`Settings::without_wait`] makes them, or to a socket
    /// whose mode was never set.
    pub fn is_whole(self, tick: Tick) -> bool {
        let shape = self.shape(tick);
        match self.agreeing_word().map(|word| word.form) {
            None if self.word.is_some() || self.receive != 0 => false,
            _ if matches!(shape, Shape::Listener(_)) => self.nonblocking,
            None => self.send == 0,
            Some(Form::NonBlocking) => self.nonblocking && (self.send == 0 || matches!(shape, Shape::Share(_))),
            Some(Form::Blocking) => !self.nonblocking && (self.send == 0 || matches!(shape, Shape::Share(_))),
            Some(Form::Polled) => self.nonblocking && matches!(shape, Shape::Polled(_)),
            Some(Form::Tcp | Form::Unix) => !self.nonblocking && matches!(shape, Shape::Share(_)),
        }
    }

    /// Reads the settings once. The flag is read before the word: if there is no word yet, the flag does not belong to a
    /// mode that is just being set.
    pub fn read_once(socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let nonblocking = options::is_nonblocking(socket)?;
        let in_socket = word::in_socket(socket);
        // This question alone fails on a descriptor that is not a socket.
        let receive = ticks(socket, Side::Receive, tick)?;
        let send = ticks(socket, Side::Send, tick)?;
        let (home, word) = match in_socket {
            Some(word) => (Home::Socket, word),
            None if receive == 0 && send == 0 => (Home::Table, None), // The table would add nothing.
            // A word of the table that does not agree belongs to an earlier mode.
            None => (Home::Table, word::in_table(socket).filter(|word| word.agrees_with(receive))),
        };
        Ok(Settings { home, word, receive, send, nonblocking })
    }

    /// The settings of a mode. `form` is the form that a timeout with a share has on this kind of socket.
    pub fn new(timeout: Timeout, interruptible: bool, form: Form, home: Home, tick: Tick) -> Settings {
        // The table belongs to this process. If another process set a timeout with the same ticks, the word in the table
        // would be believed wrongly.
        let home = if form == Form::Polled && home != Home::Socket { Home::Nowhere } else { home };
        let mark = u64::from(interruptible);
        let (form, receive, rest) = match timeout {
            // With a timeout the kernel returns `EINTR` even under `SA_RESTART`, as an interruptible mode needs.
            Timeout::Zero => (Form::NonBlocking, mark * tick.endless(), 0),
            Timeout::Forever => (Form::Blocking, mark * tick.endless(), 0),
            Timeout::Nanoseconds(nanoseconds) => {
                let form = match form {
                    Form::Tcp if tick.share(nanoseconds) > 0 => Form::Tcp,
                    // Without a word in the socket the shape tells the form, and only TCP and polled have a shape of their own.
                    Form::Unix if tick.share(nanoseconds) >= LEAST_UNIX_SHARE && home == Home::Socket => Form::Unix,
                    _ => Form::Polled,
                };
                let (ticks, rest) = tick.divide(scale(form), nanoseconds);
                (form, ticks, rest)
            }
        };
        let settings = Settings::of_word(Word::new(form, interruptible, receive, rest), receive, home);
        Settings { word: settings.word.filter(|_| home != Home::Nowhere), ..settings }
    }

    /// Whether a send would wait in the kernel without end if `O_NONBLOCK` were clear. (A listener does not send.)
    pub fn may_send_for_ever(self, tick: Tick) -> bool {
        let is_listener = matches!(self.shape(tick), Shape::Listener(_));
        self.send == 0 || self.send >= tick.endless() && !is_listener
    }

    /// The mode in which `side` operates.
    pub fn mode(self, side: Side, tick: Tick) -> Mode {
        let own = match side {
            Side::Receive => self.receive,
            Side::Send => self.send,
        };
        let kernel_waits = if self.nonblocking { 0 } else { own };
        Mode {
            timeout: self.timeout(own, tick),
            interruptible: self.is_interruptible(tick),
            kernel_waits: tick.to_nanoseconds(kernel_waits.saturating_sub(1)),
            kernel_waits_at_most: tick.to_nanoseconds(tick.latest(kernel_waits)),
            nonblocking: self.nonblocking,
        }
    }

    fn timeout(self, own: u64, tick: Tick) -> Timeout {
        if self.nonblocking && !self.is_polled(tick) {
            return Timeout::Zero;
        }
        // The word decides, unless other code cleared the timeout of this side.
        let tells = |word: &Word| word.form.is_timeout() && self.receive != 0 && (own != 0 || self.nonblocking);
        if let Some(word) = self.agreeing_word().filter(tells) {
            return Timeout::Nanoseconds(tick.join(scale(word.form), self.receive, u64::from(word.rest)));
        }
        let listens = matches!(self.shape(tick), Shape::Listener(_));
        if own == 0 || if listens { self.receive == 0 } else { own >= tick.endless() } {
            return Timeout::Forever;
        }
        // The word is lost, or belongs to another mode that is just being set.
        match self.shape(tick) {
            _ if !self.may_be_ours() => Timeout::Nanoseconds(tick.to_nanoseconds(own)),
            Shape::Other => Timeout::Nanoseconds(tick.to_nanoseconds(own)),
            _ if self.receive >= tick.endless() => Timeout::Forever,
            Shape::Polled(_) => Timeout::Nanoseconds(tick.most(Scale::Whole, self.receive)),
            Shape::Share(_) | Shape::Listener(_) => Timeout::Nanoseconds(tick.most(Scale::Share, self.receive)),
        }
    }

    /// Whether this library set `O_NONBLOCK`, in a mode that waits.
    fn is_polled(self, tick: Tick) -> bool {
        let shape = self.shape(tick);
        let is_ours = shape != Shape::Other && self.may_be_ours();
        match self.word.map(|word| word.form) {
            Some(Form::NonBlocking) => false,
            _ if matches!(shape, Shape::Listener(_)) => true,
            _ if self.receive >= tick.endless() => false,
            Some(Form::Blocking) | None => is_ours && matches!(shape, Shape::Polled(_)),
            _ if self.agreeing_word().is_none() => is_ours,
            Some(Form::Polled) => self.receive != 0,
            // If the timeout is whole, other code set the flag. If not, a mode is just being set.
            Some(Form::Tcp | Form::Unix) => self.receive != 0 && !matches!(shape, Shape::Share(_)),
        }
    }

    /// Whether the flag is set, and the word agrees with the ticks but not with `SO_SNDTIMEO`: a mode is just being set, or
    /// the flag and the timeout are other code's.
    fn is_ambiguous(self, tick: Tick) -> bool {
        let form = self.agreeing_word().map(|word| word.form);
        let is_of_timeout = form.is_some_and(Form::is_timeout) && self.receive != 0;
        self.nonblocking && is_of_timeout && self.shape(tick) == Shape::Other
    }

    /// Whether, on a listener in a mode that waits, an `accept` may have set the flag and not yet its mark. Other code's flag
    /// looks the same. The mode is believed then, not the flag.
    fn may_stop_waiting(self, tick: Tick) -> bool {
        let waits = self.agreeing_word().is_some_and(|word| match word.form {
            Form::Tcp | Form::Unix => self.receive != 0,
            form => form == Form::Blocking,
        });
        let is_marked = matches!(self.shape(tick), Shape::Listener(_));
        self.nonblocking && waits && !is_marked
    }

    /// A new word for settings whose word is lost: the word of the longest timeout with the same ticks. There is none if
    /// other code made the settings.
    pub fn lost_word(self, tick: Tick) -> Option<Word> {
        let (form, on) = match self.shape(tick) {
            Shape::Share(on) | Shape::Listener(on) if self.receive >= tick.endless() => (self.untimed_form(), on),
            Shape::Share(on) => (Form::Tcp, on),
            Shape::Polled(on) => (Form::Polled, on),
            _ if self.receive == 0 && self.send == 0 => (self.untimed_form(), false),
            _ => return None,
        };
        Some(Word::new(form, on, self.receive, u64::MAX))
    }

    fn untimed_form(self) -> Form {
        if self.nonblocking { Form::NonBlocking } else { Form::Blocking }
    }

    pub fn is_interruptible(self, tick: Tick) -> bool {
        match (self.agreeing_word(), self.shape(tick)) {
            (Some(word), _) => self.receive != 0 && word.interruptible,
            (None, Shape::Share(on) | Shape::Polled(on) | Shape::Listener(on)) => self.may_be_ours() && on,
            _ => false,
        }
    }

    /// The word, if it agrees with the ticks.
    fn agreeing_word(self) -> Option<Word> {
        self.word.filter(|word| word.agrees_with(self.receive))
    }

    /// Whether timeouts that look like this library's can be its own. A socket that could hold a word and has none got them
    /// from other code.
    fn may_be_ours(self) -> bool {
        self.word.is_some() || self.home != Home::Socket
    }

    fn shape(self, tick: Tick) -> Shape {
        match self.send.wrapping_sub(tick.endless() + LISTENER_MARK) {
            0 => Shape::Listener(false),
            1 => Shape::Listener(true),
            _ => self.mark(),
        }
    }

    fn mark(self) -> Shape {
        let (receive, send) = (self.receive, self.send);
        if receive == 0 || send == 0 {
            return Shape::Other;
        }
        match send.wrapping_sub(receive) {
            TCP_MARK => Shape::Share(false),
            beyond if beyond == TCP_MARK + 1 => Shape::Share(true),
            POLLED_MARK => Shape::Polled(false),
            beyond if beyond == POLLED_MARK + 1 => Shape::Polled(true),
            _ if self.home != Home::Socket || self.word.is_some_and(|word| word.form == Form::Tcp) => Shape::Other,
            _ if send + 1 == receive / 2 => Shape::Share(false),
            _ if send == receive / 2 => Shape::Share(true),
            _ => Shape::Other,
        }
    }

    /// The settings with which `accept` on a listener does not wait, in the same mode.
    pub fn without_wait(self, tick: Tick) -> Settings {
        let send = tick.endless() + LISTENER_MARK + u64::from(self.is_interruptible(tick));
        Settings { send, nonblocking: true, ..self }
    }
}

fn scale(form: Form) -> Scale {
    if form == Form::Polled { Scale::Whole } else { Scale::Share }
}
