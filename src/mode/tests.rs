//! All the states that a socket's settings can be in, in each mode and on the way from one to another.

use super::Side;
use super::change::Step;
use super::settings::Settings;
use super::ticks::Tick;
use super::word::{Form, Home};
use crate::time::Timeout::{self, Forever, Nanoseconds, Zero};

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
        for (timeout, interruptible) in timeouts().into_iter().flat_map(|timeout| [(timeout, false), (timeout, true)]) {
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

#[test]
fn a_share_is_found_again_from_what_sends_wait() {
    everywhere(|form, _, tick| {
        for (timeout, interruptible) in timeouts().into_iter().flat_map(|timeout| [(timeout, false), (timeout, true)]) {
            let settings = Settings::new(timeout, interruptible, form, Home::Socket, tick);
            let word = settings.word.unwrap();
            if word.form.has_share() {
                let found = Settings::with_send(word, settings.send);
                let is_rounded_up = found.receive == settings.receive + 1 && word.agrees_with(found.receive);
                assert!(found == settings || is_rounded_up, "{settings:?} is found as {found:?}");
            }
        }
    });
}

#[test]
fn a_lost_word_is_made_anew_and_never_early() {
    everywhere(|form, _, tick| {
        for (timeout, interruptible) in timeouts().into_iter().flat_map(|timeout| [(timeout, false), (timeout, true)]) {
            let settings = Settings::new(timeout, interruptible, form, Home::Socket, tick);
            if settings.word.is_some_and(|word| word.form == Form::Unix) {
                continue; // Only TCP forgets.
            }
            let found = Settings { word: Settings { word: None, ..settings }.lost_word(tick), ..settings };
            assert!(found.is_whole(tick) && found.is_interruptible(tick) == interruptible, "{found:?}");
            match (found.mode(Side::Receive, tick).timeout, timeout) {
                (Nanoseconds(read), Nanoseconds(set)) => assert!(read >= set, "{settings:?} is found as {read}"),
                (read, set) => assert_eq!(read, set),
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
                    let is_alone =
                        side == Side::Send && settings.send == before.send && !target.mode(side, tick).has_timeout();
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
