//! What a socket holds of its mode: read, and made sense of.
//!
//! It takes several calls, and others may set a mode between them: see [`super::change`].

use std::os::fd::BorrowedFd;

use libc::{SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET, c_int, timeval};

use super::ticks::{Scale, Tick};
use super::word::{self, Form, Home, Word};
use super::{Mode, Side};
use crate::errno::Result;
use crate::time::{self, Timeout};
use crate::{options, sys};

/// By how much `SO_SNDTIMEO` exceeds `SO_RCVTIMEO`, in ticks, where TCP has a timeout.
const TCP_MARK: u64 = 1;
/// The same where a timeout is polled: more than anybody's rounding, and little enough to be waited for
/// should `O_NONBLOCK` be cleared.
const POLLED_MARK: u64 = 29;
/// What `SO_SNDTIMEO` of a listener holds beyond "no timeout" where `O_NONBLOCK` is this library's, and
/// `accept` must not wait. It says nothing of the mode, so that it cannot undo one that is set meanwhile.
const LISTENER_MARK: u64 = 8;
/// The least share of which a Unix socket can wait a half twice.
const LEAST_UNIX_SHARE: u64 = 4;

/// How often to read what others keep changing, and how often in a row it must be the same to be believed.
const READS: u32 = 128;
const EQUAL_READS: u32 = 5;

/// How often, and for how many nanoseconds, to wait for others to finish setting a mode: they may have to wait for a
/// processor.
const NAPS: u32 = 50;
const NAP: u64 = 1_000_000;

/// What a socket holds of its mode.
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

/// What the two timeouts look like, and whether they are those of an interruptible mode.
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
    /// Reads them, and again if what was read may belong to two modes: it takes several calls, and others may set a mode
    /// between them. Only a mode that is just being set is met again and again, and that passes. What lasts are a flag and
    /// timeouts of other code, and then the word is not believed.
    pub fn read(socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        Settings::read_from(Settings::read_once(socket, tick)?, socket, tick)
    }

    fn read_from(mut settings: Settings, socket: BorrowedFd, tick: Tick) -> Result<Settings> {
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
        // They change faster than they can be read. The kernel knows best whether a call is to wait.
        Ok(Settings { nonblocking: false, ..settings })
    }

    /// Guesses them from the word and its ticks, if they agree: then only other code can have touched the others.
    pub fn guess(socket: BorrowedFd, word: Word, tick: Tick) -> Result<Option<Settings>> {
        let receive = ticks(socket, Side::Receive, tick)?;
        let is_of_mode = (receive != 0) == (word.form.is_timeout() || word.interruptible);
        let agrees = is_of_mode && word.agrees_with(receive);
        Ok(agrees.then(|| Settings::of_word(word, receive, Home::Socket)))
    }

    /// Reads what was only guessed.
    pub fn confirm(self, socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let send = ticks(socket, Side::Send, tick)?;
        let read = Settings { send, nonblocking: options::is_nonblocking(socket)?, ..self };
        if read == self { Ok(read) } else { Settings::read(socket, tick) }
    }

    /// What goes with a word and its ticks.
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

    /// What goes with the word of a share and its `SO_SNDTIMEO`. Where that is one of half a share, the word tells which
    /// of two it was.
    pub fn with_send(word: Word, send: u64) -> Settings {
        let mark = u64::from(word.interruptible);
        let receive = match word.form {
            Form::Unix => [0, 1].map(|odd| 2 * (send + 1 - mark.min(send)) + odd),
            _ => [send.saturating_sub(TCP_MARK + mark); 2],
        };
        let [even, odd] = receive;
        Settings::of_word(word, if word.agrees_with(odd) { odd } else { even }, Home::Socket)
    }

    /// Whether they are all of one mode, as [`Settings::new`] or [`Settings::without_wait`] makes them, or those
    /// of a socket without any.
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

    /// The flag comes before the word: where there is no word yet, it is not of a mode that is just being set.
    pub fn read_once(socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let nonblocking = options::is_nonblocking(socket)?;
        let in_socket = word::in_socket(socket);
        // It alone tells a socket from other descriptors.
        let receive = ticks(socket, Side::Receive, tick)?;
        let send = ticks(socket, Side::Send, tick)?;
        let (home, word) = match in_socket {
            Some(word) => (Home::Socket, word),
            None if receive == 0 && send == 0 => (Home::Table, None), // It would tell nothing more.
            // One that does not agree is not just being set, but of the past.
            None => (Home::Table, word::in_table(socket).filter(|word| word.agrees_with(receive))),
        };
        Ok(Settings { home, word, receive, send, nonblocking })
    }

    /// The settings of a mode. `form` is that of a timeout on this kind of socket.
    pub fn new(timeout: Timeout, interruptible: bool, form: Form, home: Home, tick: Tick) -> Settings {
        // Another process does not see the table, and its timeout with the same ticks would not be noticed.
        let home = if form == Form::Polled && home != Home::Socket { Home::Nowhere } else { home };
        let mark = u64::from(interruptible);
        let (form, receive, rest) = match timeout {
            // A receive with a timeout returns `EINTR` even under `SA_RESTART`, just what is wanted then.
            Timeout::Zero => (Form::NonBlocking, mark * tick.endless(), 0),
            Timeout::Forever => (Form::Blocking, mark * tick.endless(), 0),
            Timeout::Nanoseconds(nanoseconds) => {
                let form = match form {
                    Form::Tcp if tick.share(nanoseconds) > 0 => Form::Tcp,
                    // Without a word in the socket its shape must tell, and then it is TCP's or polled.
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

    /// Whether the kernel would let a send wait without end, were `O_NONBLOCK` clear. (A listener has no sends.)
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
        // The word tells all, but that other code took the own timeout away.
        let tells = |word: &Word| word.form.is_timeout() && self.receive != 0 && (own != 0 || self.nonblocking);
        if let Some(word) = self.agreeing_word().filter(tells) {
            return Timeout::Nanoseconds(tick.join(scale(word.form), self.receive, u64::from(word.rest)));
        }
        let listens = matches!(self.shape(tick), Shape::Listener(_));
        if own == 0 || if listens { self.receive == 0 } else { own >= tick.endless() } {
            return Timeout::Forever;
        }
        // The word is lost, or of another mode that is just being set.
        match self.shape(tick) {
            _ if !self.may_be_ours() => Timeout::Nanoseconds(tick.to_nanoseconds(own)),
            Shape::Other => Timeout::Nanoseconds(tick.to_nanoseconds(own)),
            _ if self.receive >= tick.endless() => Timeout::Forever,
            Shape::Polled(_) => Timeout::Nanoseconds(tick.most(Scale::Whole, self.receive)),
            Shape::Share(_) | Shape::Listener(_) => Timeout::Nanoseconds(tick.most(Scale::Share, self.receive)),
        }
    }

    /// Whether `O_NONBLOCK` is this library's, for a mode that waits.
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
            // Other code set it on a timeout that is whole. One that is not is just being set.
            Some(Form::Tcp | Form::Unix) => self.receive != 0 && !matches!(shape, Shape::Share(_)),
        }
    }

    /// Whether these are the ticks of the word, but not its other timeout, and the flag is set: a mode that is just
    /// being set, or other code's flag and timeout.
    fn is_ambiguous(self, tick: Tick) -> bool {
        let form = self.agreeing_word().map(|word| word.form);
        let is_of_timeout = form.is_some_and(Form::is_timeout) && self.receive != 0;
        self.nonblocking && is_of_timeout && self.shape(tick) == Shape::Other
    }

    /// Whether, on a listener, an `accept` may be about to add its mark to the flag that it has just set: in a mode that
    /// waits. It cannot be told from other code's flag, and then the mode goes before that.
    fn may_stop_waiting(self, tick: Tick) -> bool {
        let waits = self.agreeing_word().is_some_and(|word| match word.form {
            Form::Tcp | Form::Unix => self.receive != 0,
            form => form == Form::Blocking,
        });
        let is_marked = matches!(self.shape(tick), Shape::Listener(_));
        self.nonblocking && waits && !is_marked
    }

    /// The word that goes with the others, of which it is lost: that of the longest timeout that has such ticks. There is
    /// none if other code has set them.
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

    /// The word, if it belongs to the ticks.
    fn agreeing_word(self) -> Option<Word> {
        self.word.filter(|word| word.agrees_with(self.receive))
    }

    /// Whether timeouts that look like this library's are: on a socket that could hold a word and has
    /// none, other code set them.
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
