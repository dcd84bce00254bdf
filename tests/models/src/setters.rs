//! Setters, readers, accepts and connects on one socket.
//!
//! What is not claimed: of readers while two setters are at it, and of two where words are in the table; of a change of
//! interruption beside a setter; of a setter beside a connect that TCP refuses, for which the kernel forgets the word; of
//! non-blocking mode that is set while `sock_connect_until` makes its attempt.

use std::ptr::{null, null_mut};

use crate::connection::{self, Connection};
use crate::errno::{Errno, Result};
use crate::explore::{ALWAYS, Actor, Claim, Explored, Kind, World, alone, explore, socket};
use crate::mode::{self, Side};
use crate::operation::Pace;
use crate::sys::AddressOut;
use crate::time::Timeout::{self, Forever, Nanoseconds, Zero};
use crate::wait::Until;

const TICK: u64 = 4_000_000;
const MILLISECOND: u64 = 1_000_000;

/// Whoever has looked for so many steps has met what other code may have set, or a setter that died between two calls.
/// These are the same to it: a flag that is not of a mode is other code's.
const PATIENCE: usize = 200;

/// What a function of the library has given.
#[derive(Clone, Copy)]
enum Reply {
    Done(Option<Errno>),
    Read(Side, Timeout),
}

fn done<T>(result: Result<T>) -> Reply {
    Reply::Done(result.err())
}

fn actor(name: String, function: impl Fn() -> Reply + 'static) -> Actor<Reply> {
    Actor { name, process: 0, function: Box::new(function) }
}

fn setter(timeout: Timeout) -> Actor<Reply> {
    actor(format!("set {timeout:?}"), move || done(mode::set(socket(), timeout)))
}

fn reader(side: Side) -> Actor<Reply> {
    actor(format!("read {side:?}"), move || match mode::get(socket(), side) {
        Ok(mode) => Reply::Read(side, mode.timeout),
        Err(error) => Reply::Done(Some(error)),
    })
}

/// As an operation looks the mode up that is not ready.
fn unready(side: Side) -> Actor<Reply> {
    actor(format!("not ready to {side:?}"), move || match mode::of_unready(socket(), side, 0) {
        Ok(mode) => Reply::Read(side, mode.timeout),
        Err(error) => Reply::Done(Some(error)),
    })
}

const NO_END: Until = Until { deadline: None, token: None };

fn acceptor() -> Actor<Reply> {
    let peer = AddressOut { addr: null_mut(), addrlen: null_mut(), room: 0 };
    let function = move || done(connection::accept(socket(), AddressOut { ..peer }, Pace::Until(NO_END)));
    actor("accept".into(), function)
}

/// It is made at once. (TCP's kernel forgets the word when it is refused. What that does to a mode that is just being
/// set is not modelled.)
fn connector(pace: Pace<'static>) -> Actor<Reply> {
    actor("connect".into(), move || {
        done(connection::connect(Connection { socket: socket(), addr: null(), addrlen: 0 }, pace))
    })
}

/// What must hold: of the modes before, between and after.
struct Modes {
    kind: Kind,
    /// In which of them anybody may find the socket; nothing is said of two setters that are at it.
    between: Vec<Timeout>,
    /// In which of them they must leave it.
    after: Vec<(Timeout, bool)>,
}

impl Modes {
    /// Whether this is one of the modes, or a longer wait.
    fn may_read(&self, read: Timeout, steps: usize) -> bool {
        if self.between.is_empty() {
            return true;
        }
        let finite = self.between.iter().filter_map(|mode| match mode {
            Nanoseconds(nanoseconds) => Some(*nanoseconds),
            _ => None,
        });
        match read {
            Nanoseconds(read) => finite.min().is_some_and(|least| read >= least),
            Zero if steps > PATIENCE => true,
            read => self.between.contains(&read),
        }
    }

    fn has_untimed(&self) -> bool {
        self.between.iter().any(|mode| matches!(mode, Zero | Forever))
    }

    /// Where the other timeout is taken away first.
    fn may_stand_alone(&self, side: Side, read: Timeout) -> bool {
        let in_ticks = matches!(read, Nanoseconds(read) if read % TICK == 0);
        side == Side::Send && self.has_untimed() && in_ticks
    }

    /// Without timeouts the table is not asked, and calls before and after a whole change tell of no mode.
    fn is_untold(&self, read: Timeout) -> bool {
        self.kind == Kind::OldTcp && self.has_untimed() && matches!(read, Zero | Forever)
    }

    fn is_set(&self, wanted: Timeout, read: Timeout) -> bool {
        match (wanted, read) {
            // In whole ticks, where no word can be kept that all processes see.
            (Nanoseconds(wanted), Nanoseconds(read)) if self.kind == Kind::OldTcp => {
                (wanted..wanted + TICK.max(wanted / 8) + TICK).contains(&read)
            }
            _ => wanted == read,
        }
    }

    /// A listener has no sends.
    fn sides(&self) -> &[Side] {
        if self.kind == Kind::Listener { &[Side::Receive] } else { &[Side::Receive, Side::Send] }
    }

    /// Who looks when nobody is about.
    fn read(&self, world: World, process: usize, side: Side) -> (Timeout, bool, usize) {
        let (mode, _, steps) = alone(world, process, || mode::get(socket(), side));
        let mode = mode.unwrap_or_else(|_| panic!("{world:?} cannot be read"));
        (mode.timeout, mode.interruptible, steps)
    }
}

impl Claim<Reply> for Modes {
    fn of_world(&self, world: World) {
        for side in self.sides() {
            let (timeout, _, steps) = self.read(world, 0, *side);
            let may_be = is_alone(world, *side) || self.may_read(timeout, steps);
            assert!(may_be, "{side:?} finds {timeout:?}, not {:?}, in {world:?}", self.between);
        }
        // Whoever has died, the next to set a mode has it.
        for timeout in [Zero, Forever, Nanoseconds(30 * MILLISECOND + 7)] {
            let (result, after, _) = alone(world, 0, || mode::set(socket(), timeout));
            assert!(result.is_ok());
            for side in self.sides() {
                let (read, _, steps) = self.read(after, 0, *side);
                assert!(steps < PATIENCE, "{timeout:?} set in {world:?} is not whole");
                assert!(self.is_set(timeout, read), "{timeout:?} set in {world:?} is read as {read:?}");
            }
        }
    }

    fn of_reply(&self, reply: Reply, steps: usize) {
        match reply {
            Reply::Done(error) => assert!(error.is_none(), "it failed"),
            Reply::Read(side, read) => {
                let may_be = self.may_read(read, steps) || self.may_stand_alone(side, read) || self.is_untold(read);
                assert!(may_be, "{read:?} was read, which is none of {:?}", self.between);
            }
        }
    }

    fn of_end(&self, world: World) {
        for side in self.sides() {
            let (read, interruptible, steps) = self.read(world, 0, *side);
            assert!(steps < PATIENCE, "what is left is not whole: {world:?}");
            let is_one = |(timeout, on): &(Timeout, bool)| self.is_set(*timeout, read) && *on == interruptible;
            if world.kind == Kind::OldTcp {
                let (timeout, ..) = self.read(world, 1, *side);
                assert!(
                    self.may_read(timeout, 0),
                    "another process finds {timeout:?}, not {:?}, in {world:?}",
                    self.after
                );
            }
            assert!(
                self.after.iter().any(is_one),
                "{side:?} is left {read:?} ({interruptible}), not {:?}, in {world:?}",
                self.after
            );
        }
    }
}

/// A timeout for sending that stands alone may be other code's, and says what it says.
fn is_alone(world: World, side: Side) -> bool {
    side == Side::Send && world.receive == 0 && world.send != 0
}

/// A socket in a mode.
fn world(kind: Kind, timeout: Timeout, interruptible: bool) -> World {
    let (result, world, _) = alone(World::new(kind), 0, || mode::set(socket(), timeout));
    assert!(result.is_ok());
    let (result, world, _) = alone(world, 0, || mode::set_interruptible(socket(), interruptible));
    assert!(result.is_ok());
    world
}

/// Timeouts that differ in all that matters: too short for a share; of the same ticks; of ticks whose words pass for
/// one another's; longer.
const TIMEOUTS: [Timeout; 7] = [
    Zero,
    Forever,
    Nanoseconds(5 * MILLISECOND + 123),
    Nanoseconds(100 * MILLISECOND + 1),
    Nanoseconds(103 * MILLISECOND),
    Nanoseconds(400 * MILLISECOND),
    Nanoseconds(5_000 * MILLISECOND),
];

/// How often one of two setters may be interrupted while it could go on: they begin anew for each other, and their
/// interleavings are too many.
pub const PREEMPTIONS: usize = 3;

const KINDS: [Kind; 5] = [Kind::Tcp, Kind::OldTcp, Kind::Tls, Kind::Unix, Kind::Udp];

fn pairs() -> impl Iterator<Item = (Timeout, Timeout)> {
    TIMEOUTS.iter().enumerate().flat_map(|(at, one)| TIMEOUTS[at..].iter().map(|other| (*one, *other)))
}

/// One of so many scenes is played, unless all are.
fn every(step: usize) -> impl FnMut() -> bool {
    let mut count = 0;
    move || {
        count += 1;
        crate::is_long() || count % step == 1 % step
    }
}

/// Each of them may be interrupted.
pub fn two_setters() -> Explored {
    let mut explored = Explored::default();
    let mut is_played = every(25);
    for kind in KINDS.into_iter().filter(|kind| *kind != Kind::OldTcp) {
        for (before, (one, other)) in TIMEOUTS.into_iter().flat_map(|before| pairs().map(move |pair| (before, pair))) {
            if is_played() {
                let modes = Modes { kind, between: Vec::new(), after: vec![(one, false), (other, false)] };
                let actors = [setter(one), setter(other)];
                explored.add(explore(world(kind, before, false), &actors, &modes, PREEMPTIONS));
            }
        }
    }
    explored
}

pub fn a_setter_and_a_reader() -> Explored {
    let mut explored = Explored::default();
    let mut is_played = every(7);
    for kind in KINDS {
        for (before, one) in TIMEOUTS.into_iter().flat_map(|before| TIMEOUTS.map(|one| (before, one))) {
            for side in [Side::Receive, Side::Send] {
                for other in [reader(side), unready(side)] {
                    if is_played() {
                        let modes = Modes { kind, between: vec![before, one], after: vec![(one, false)] };
                        explored.add(explore(world(kind, before, false), &[setter(one), other], &modes, ALWAYS));
                    }
                }
            }
        }
    }
    explored
}

pub fn a_setter_and_an_accept() -> Explored {
    let mut explored = Explored::default();
    for (before, one) in TIMEOUTS.into_iter().flat_map(|before| TIMEOUTS.map(|one| (before, one))) {
        let modes = Modes { kind: Kind::Listener, between: vec![before, one], after: vec![(one, false)] };
        explored.add(explore(world(Kind::Listener, before, false), &[setter(one), acceptor()], &modes, ALWAYS));
    }
    explored
}

pub fn a_setter_and_a_connect() -> Explored {
    let mut explored = Explored::default();
    for kind in KINDS {
        for (before, one) in TIMEOUTS.into_iter().flat_map(|before| TIMEOUTS.map(|one| (before, one))) {
            for pace in [Pace::Mode, Pace::Until(NO_END)] {
                let is_until = matches!(pace, Pace::Until(_));
                if is_until && one == Zero {
                    continue; // It may clear the flag that the mode has just set.
                }
                // It does not wait around its attempt.
                let meanwhile = if is_until { Zero } else { one };
                let modes = Modes { kind, between: vec![before, one, meanwhile], after: vec![(one, false)] };
                explored.add(explore(world(kind, before, false), &[setter(one), connector(pace)], &modes, ALWAYS));
            }
        }
    }
    explored
}
