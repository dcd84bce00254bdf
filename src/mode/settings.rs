//! What a socket holds of its mode: read, made sense of, and written.
//!
//! Four things are set one after the other, and other threads and processes look on. So they are written
//! in an order in which every state between two modes reads as one of the two, or as the longest timeout
//! that has such ticks. The tests go through all of them.

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

fn set_ticks(socket: BorrowedFd, side: Side, ticks: u64, tick: Tick) -> Result<()> {
    sys::set_option(socket, SOL_SOCKET, option(side), tick.to_timeval(ticks))
}

fn option(side: Side) -> c_int {
    match side {
        Side::Receive => SO_RCVTIMEO,
        Side::Send => SO_SNDTIMEO,
    }
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
    pub fn guess(socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let in_socket = word::in_socket(socket);
        let receive = ticks(socket, Side::Receive, tick)?;
        match in_socket.flatten().filter(|word| word.agrees_with(receive)) {
            Some(word) if (receive != 0) == (word.form.is_timeout() || word.interruptible) => {
                Ok(Settings::of_word(word, receive, Home::Socket))
            }
            _ => Settings::read_from(Settings::with_others(in_socket, receive, socket, tick)?, socket, tick),
        }
    }

    /// Reads what was only guessed.
    pub fn confirm(self, socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let in_socket = (self.home == Home::Socket).then_some(self.word);
        let read = Settings::with_others(in_socket, self.receive, socket, tick)?;
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

    /// Whether they are all of one mode, as [`Settings::new`] or [`Settings::without_wait`] makes them, or those
    /// of a socket without any.
    fn is_whole(self, tick: Tick) -> bool {
        let shape = self.shape(tick);
        match self.agreeing_word().map(|word| word.form) {
            None => self.word.is_none() && self.receive == 0 && self.send == 0,
            _ if matches!(shape, Shape::Listener(_)) => self.nonblocking,
            Some(Form::NonBlocking) => self.nonblocking && (self.send == 0 || matches!(shape, Shape::Share(_))),
            Some(Form::Blocking) => !self.nonblocking && (self.send == 0 || matches!(shape, Shape::Share(_))),
            Some(Form::Polled) => self.nonblocking && matches!(shape, Shape::Polled(_)),
            Some(Form::Tcp | Form::Unix) => !self.nonblocking && matches!(shape, Shape::Share(_)),
        }
    }

    fn read_once(socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let in_socket = word::in_socket(socket);
        // It alone tells a socket from other descriptors.
        let receive = ticks(socket, Side::Receive, tick)?;
        Settings::with_others(in_socket, receive, socket, tick)
    }

    fn with_others(in_socket: Option<Option<Word>>, receive: u64, socket: BorrowedFd, tick: Tick) -> Result<Settings> {
        let send = ticks(socket, Side::Send, tick)?;
        let nonblocking = options::is_nonblocking(socket)?;
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

    /// Whether they are those of a socket whose mode was never set, and which is in that mode.
    pub fn is_untouched_as(self, wanted: Settings) -> bool {
        self.word.is_none()
            && Settings { word: None, ..wanted } == self
            && wanted == Settings { nonblocking: false, ..wanted }
    }

    /// Writes all of them; `before` is what was read. The word comes first: whoever finds another than its
    /// own when it has written all knows that another mode was set meanwhile.
    pub fn write(self, socket: BorrowedFd, before: Settings, tick: Tick) -> Result<()> {
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
    fn provisional(self, before: Settings) -> Settings {
        let passes = |word: &Word| word.form.is_timeout() && word.agrees_with(before.receive);
        match self.word.filter(passes) {
            Some(word) if before.receive != self.receive => Settings { word: Some(word.with_longest_rest()), ..self },
            _ => self,
        }
    }

    /// Whether no other mode was set, and no `accept` has set the flag, while these were written.
    pub fn is_in_place(self, socket: BorrowedFd, before: Settings, tick: Tick) -> Result<bool> {
        let is_mine = self.home == Home::Nowhere || word::read(socket) == (self.home, self.word);
        let has_ticks = || ticks(socket, Side::Receive, tick).map(|ticks| ticks == self.receive);
        Ok(is_mine
            && options::is_nonblocking(socket)? == self.nonblocking
            // The word was another for a while.
            && (self.provisional(before) == self || has_ticks()?))
    }

    /// Writes back what was read, as far as that is permitted.
    pub fn restore(self, socket: BorrowedFd, tick: Tick) {
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
    fn steps(self, before: Settings, tick: Tick) -> [Step; 4] {
        use Step::*;
        if self.receive == 0 || self.receive >= tick.endless() {
            [Word, Flag, Receive, Send]
        } else if before.may_send_for_ever(tick) && !self.nonblocking {
            [Word, Receive, Send, Flag]
        } else {
            [Word, Receive, Flag, Send]
        }
    }

    /// Whether the kernel would let a send wait without end, were `O_NONBLOCK` clear. (A listener has no sends.)
    fn may_send_for_ever(self, tick: Tick) -> bool {
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
        let form = self.word.map_or(Form::NonBlocking, |word| word.form);
        let waits = matches!(form, Form::Tcp | Form::Unix | Form::Blocking);
        let is_marked = matches!(self.shape(tick), Shape::Listener(_));
        self.nonblocking && waits && !is_marked
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
            _ if self.home != Home::Socket => Shape::Other,
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

    /// Writes what [`Settings::without_wait`] changes. The mark comes before the flag, which would be other code's
    /// without it, and again if a mode was set between the two.
    pub fn write_without_wait(self, socket: BorrowedFd, tick: Tick) -> Result<()> {
        self.write_one(Step::Send, socket, tick)?;
        self.write_one(Step::Flag, socket, tick)?;
        if ticks(socket, Side::Send, tick)? != self.send {
            self.write_one(Step::Send, socket, tick)?;
        }
        Ok(())
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    Word,
    Receive,
    Send,
    Flag,
}

fn scale(form: Form) -> Scale {
    if form == Form::Polled { Scale::Whole } else { Scale::Share }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Timeout::{Forever, Nanoseconds, Zero};

    const TICK_RATES: [u64; 3] = [100, 250, 1000];
    const FORMS: [Form; 3] = [Form::Tcp, Form::Unix, Form::Polled];
    const HOMES: [Home; 2] = [Home::Socket, Home::Table];

    fn timeouts() -> Vec<Timeout> {
        let milliseconds = [1, 5, 12, 20, 28, 50, 100, 103, 104, 250, 1000, 5000, 100_000_000_000];
        let finite = milliseconds.map(|milliseconds| Nanoseconds(milliseconds * 1_000_000 + 123));
        finite.into_iter().chain([Zero, Forever]).collect()
    }

    /// Settings in which a socket may be when its mode is set: in any mode, untouched, or on a listener.
    fn starts(form: Form, home: Home, tick: Tick) -> Vec<Settings> {
        let untouched = Settings { home, word: None, receive: 0, send: 0, nonblocking: false };
        let mut starts = vec![untouched, Settings { nonblocking: true, ..untouched }];
        for (timeout, interruptible) in timeouts().into_iter().flat_map(|timeout| [(timeout, false), (timeout, true)]) {
            let settings = Settings::new(timeout, interruptible, form, home, tick);
            starts.push(settings);
            if !settings.nonblocking {
                starts.push(settings.without_wait(tick));
            }
        }
        starts
    }

    fn apply(step: Step, from: Settings, to: Settings) -> Settings {
        match step {
            Step::Word => Settings { word: to.word, ..from },
            Step::Receive => Settings { receive: to.receive, ..from },
            Step::Send => Settings { send: to.send, ..from },
            Step::Flag => Settings { nonblocking: to.nonblocking, ..from },
        }
    }

    fn everywhere(mut body: impl FnMut(Form, Home, Tick)) {
        for tick in TICK_RATES.map(Tick::with_rate) {
            for (form, home) in FORMS.into_iter().flat_map(|form| HOMES.map(|home| (form, home))) {
                if form != Form::Polled || home == Home::Socket {
                    body(form, home, tick);
                }
            }
        }
    }

    #[test]
    fn what_is_set_is_read_back() {
        everywhere(|form, home, tick| {
            for (timeout, interruptible) in
                timeouts().into_iter().flat_map(|timeout| [(timeout, false), (timeout, true)])
            {
                let settings = Settings::new(timeout, interruptible, form, home, tick);
                for settings in [settings, settings.without_wait(tick)] {
                    if settings.nonblocking && timeout == Zero && settings.send > tick.endless() {
                        continue; // A listener that does not wait has no such settings.
                    }
                    for side in [Side::Receive, Side::Send] {
                        let mode = settings.mode(side, tick);
                        let read = match (mode.timeout, timeout) {
                            (Nanoseconds(read), Nanoseconds(set)) => (set..set + 10_000).contains(&read),
                            (read, set) => read == set,
                        };
                        assert!(read, "{timeout:?} is read as {:?} from {settings:?}", mode.timeout);
                        assert!(mode.interruptible == interruptible, "{settings:?}");
                    }
                }
            }
        });
    }

    /// Where no word can be kept that all processes see, a polled timeout is one in whole ticks.
    #[test]
    fn without_a_word_a_timeout_is_never_early() {
        for (tick, timeout) in TICK_RATES
            .map(Tick::with_rate)
            .into_iter()
            .flat_map(|tick| timeouts().into_iter().map(move |timeout| (tick, timeout)))
        {
            let settings = Settings::new(timeout, true, Form::Polled, Home::Table, tick);
            let mode = settings.mode(Side::Receive, tick);
            match (mode.timeout, timeout) {
                (Nanoseconds(read), Nanoseconds(set)) => {
                    assert!(read >= set && read < set + tick.to_nanoseconds(1).max(set / 9))
                }
                (read, set) => assert_eq!(read, set),
            }
            assert!(mode.interruptible);
        }
    }

    /// Whoever looks on finds one of the two modes, or a timeout that is not shorter than both.
    #[test]
    fn every_state_between_two_modes_is_one_of_them() {
        everywhere(|form, home, tick| {
            for (before, target) in starts(form, home, tick).into_iter().flat_map(|before| {
                let targets = timeouts().into_iter().flat_map(|timeout| [(timeout, false), (timeout, true)]);
                targets.map(move |(timeout, on)| (before, Settings::new(timeout, on, form, home, tick)))
            }) {
                let mut settings = before;
                let provisional = target.provisional(before);
                let steps = target.steps(before, tick).map(|step| (step, provisional)).into_iter();
                for (step, to) in steps.chain([(Step::Word, target)]) {
                    settings = apply(step, settings, to);
                    for side in [Side::Receive, Side::Send] {
                        let modes = [before, target].map(|settings| settings.mode(side, tick).timeout);
                        let story = format!("{settings:?} on the way from {before:?} to {target:?}");
                        let read = settings.mode(side, tick).timeout;
                        // A timeout that is left alone may be other code's, and says what it says.
                        let is_alone = side == Side::Send
                            && settings.send == before.send
                            && !target.mode(side, tick).has_timeout();
                        assert!(
                            is_alone || is_like_one_of(read, modes),
                            "{side:?} waits {read:?}, not {modes:?}, in {story}"
                        );
                        let own = if side == Side::Receive { settings.receive } else { settings.send };
                        let is_endless = !settings.nonblocking && (own == 0 || own >= tick.endless());
                        // A listener has no sends.
                        let is_listener = before.send > tick.endless() + 2 && side == Side::Send;
                        assert!(!is_endless || modes.contains(&Forever) || is_listener, "{side:?} hangs in {story}");
                    }
                }
                assert_eq!(settings, target);
            }
        });
    }

    fn is_like_one_of(read: Timeout, modes: [Timeout; 2]) -> bool {
        let least = modes.iter().filter_map(|mode| match mode {
            Nanoseconds(nanoseconds) => Some(*nanoseconds),
            _ => None,
        });
        match read {
            Nanoseconds(read) => least.min().is_some_and(|least| read >= least),
            read => modes.contains(&read),
        }
    }

    /// `accept` changes how a listener waits, however another process sets its mode meanwhile.
    #[test]
    fn an_accept_undoes_no_mode() {
        everywhere(|form, _, tick| {
            let home = Home::Socket;
            for before in starts(form, home, tick).into_iter().filter(|settings| !settings.nonblocking) {
                for target in timeouts().into_iter().map(|timeout| Settings::new(timeout, false, form, home, tick)) {
                    let late = before.without_wait(tick);
                    let settings = apply(Step::Flag, apply(Step::Send, target, late), late);
                    let (read, set) =
                        (settings.mode(Side::Receive, tick).timeout, target.mode(Side::Receive, tick).timeout);
                    assert!(read == set, "{target:?} is read as {read:?} after an accept in {before:?}");
                }
            }
        });
    }

    #[test]
    fn timeouts_of_other_code_mean_what_they_say() {
        for tick in TICK_RATES.map(Tick::with_rate) {
            for (receive, send) in [(0, 500), (500, 0), (500, 500), (250, 252), (20, 50), (1000, 500), (8, 3)] {
                let settings = Settings { home: Home::Socket, word: None, receive, send, nonblocking: false };
                for (side, own) in [(Side::Receive, receive), (Side::Send, send)] {
                    let mode = settings.mode(side, tick);
                    let says = if own == 0 { Forever } else { Nanoseconds(tick.to_nanoseconds(own)) };
                    assert!(mode.timeout == says && !mode.interruptible, "{settings:?}");
                }
            }
        }
    }
}
