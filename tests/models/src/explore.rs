//! All interleavings of functions of the library on one simulated socket, step by step.
//!
//! A step is a system call on the socket, or an access to the entry of the table. What a function does next follows
//! from the answers that it has had, so that its state is their sequence. It is run anew from its beginning with
//! these answers, up to the next call. States of all together that are the same are explored once.
//!
//! The one bound: a function naps only once the socket has been the same for some reads. Then either the others do
//! something before it looks again, or they do nothing for so long that it goes on by what it has read.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::c_int;
use std::hash::{BuildHasherDefault, Hasher};
use std::os::fd::{BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::errno::{Errno, Result};

/// The number of the one socket, and of a connection that it has accepted.
pub const SOCKET: RawFd = 1000;
const CONNECTION: u64 = 1001;

pub fn socket() -> BorrowedFd<'static> {
    // SAFETY: it is not -1, and looked at by what is simulated alone.
    unsafe { BorrowedFd::borrow_raw(SOCKET) }
}

/// What the socket is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Tcp,
    Listener,
    /// Before Linux 6.9: it cannot hold a word.
    OldTcp,
    Tls,
    Unix,
    Udp,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Setting {
    PeekOffset,
    Receive,
    Send,
    Flag,
}

/// What is one step.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Call {
    Get(Setting),
    Set(Setting, u64),
    LoadEntry,
    StoreEntry(u64),
    Connect,
    Accept,
    Nap,
}

impl Call {
    fn only_looks(self) -> bool {
        matches!(self, Call::Get(_) | Call::LoadEntry | Call::Nap)
    }
}

type Answer = std::result::Result<u64, c_int>;

/// What the kernel and the processes hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct World {
    pub kind: Kind,
    peek_offset: i32,
    /// In ticks.
    pub receive: u64,
    pub send: u64,
    nonblocking: bool,
    /// The entry of the socket in the table of either process.
    entries: [u64; 2],
    /// Connections in a listener's queue.
    connections: u8,
}

impl World {
    pub fn new(kind: Kind) -> World {
        World { kind, peek_offset: -1, receive: 0, send: 0, nonblocking: false, entries: [0; 2], connections: 1 }
    }

    fn perform(&mut self, call: Call, process: usize) -> Answer {
        match call {
            Call::Get(Setting::PeekOffset) | Call::Set(Setting::PeekOffset, _) if self.kind == Kind::OldTcp => {
                return Err(libc::EOPNOTSUPP);
            }
            Call::Get(Setting::PeekOffset) => return Ok(i64::from(self.peek_offset) as u64),
            Call::Get(Setting::Receive) => return Ok(self.receive),
            Call::Get(Setting::Send) => return Ok(self.send),
            Call::Get(Setting::Flag) => return Ok(self.nonblocking.into()),
            Call::Set(Setting::PeekOffset, number) => self.peek_offset = number as i32,
            Call::Set(Setting::Receive, ticks) => self.receive = ticks,
            Call::Set(Setting::Send, ticks) => self.send = ticks,
            Call::Set(Setting::Flag, on) => self.nonblocking = on != 0,
            Call::LoadEntry => return Ok(self.entries[process]),
            Call::StoreEntry(entry) => self.entries[process] = entry,
            Call::Accept if self.connections == 0 => return Err(libc::EAGAIN),
            Call::Accept => {
                self.connections -= 1;
                return Ok(CONNECTION);
            }
            Call::Connect | Call::Nap => {}
        }
        Ok(0)
    }
}

/// Who performs the calls of the function that is run.
enum Performer {
    /// Nobody else is there.
    Alone { world: World, process: usize, steps: usize },
    /// It is run again, up to the first call that has no answer yet.
    Replay { answers: Vec<Answer>, at: usize, asked: Option<Call> },
}

thread_local! {
    static PERFORMER: RefCell<Option<Performer>> = const { RefCell::new(None) };
    static KIND: Cell<Kind> = const { Cell::new(Kind::Tcp) };
}

pub fn is_under_way() -> bool {
    PERFORMER.with_borrow(Option::is_some)
}

pub fn kind() -> Kind {
    KIND.get()
}

/// What ends a function that is run again.
struct Asked;

pub fn call(call: Call) -> Result<u64> {
    let answer = PERFORMER.with_borrow_mut(|performer| match performer {
        Some(Performer::Alone { world, process, steps }) => {
            *steps += 1;
            Some(world.perform(call, *process))
        }
        Some(Performer::Replay { answers, at, asked }) => {
            *at += 1;
            if *at > answers.len() {
                *asked = Some(call);
            }
            answers.get(*at - 1).copied()
        }
        None => panic!("{call:?} outside of an exploration"),
    });
    answer.unwrap_or_else(|| resume_unwind(Box::new(Asked))).map_err(Errno::new)
}

pub fn load_entry() -> u64 {
    call(Call::LoadEntry).unwrap_or(0)
}

pub fn store_entry(entry: u64) {
    let _ = call(Call::StoreEntry(entry));
}

/// Runs a function with nobody else about: what it gives, the world after it, and in how many steps.
pub fn alone<R>(world: World, process: usize, function: impl FnOnce() -> R) -> (R, World, usize) {
    KIND.set(world.kind);
    let before = PERFORMER.replace(Some(Performer::Alone { world, process, steps: 0 }));
    let result = function();
    match PERFORMER.replace(before) {
        Some(Performer::Alone { world, steps, .. }) => (result, world, steps),
        _ => unreachable!("it was put there"),
    }
}

/// One who runs a function, in the first or the second process.
pub struct Actor<Reply> {
    pub name: String,
    pub process: usize,
    pub function: Box<dyn Fn() -> Reply>,
}

/// A state of an actor: what it does after these answers.
struct Node<Reply> {
    last: Option<(u32, Answer)>,
    /// How many answers that are.
    steps: usize,
    next: Next<Reply>,
    after: Vec<(Answer, u32)>,
}

#[derive(Clone, Copy)]
enum Next<Reply> {
    Call(Call),
    End(Reply),
}

struct Tree<Reply>(Vec<Node<Reply>>);

impl<Reply: Copy> Tree<Reply> {
    fn new(actor: &Actor<Reply>) -> Tree<Reply> {
        let next = Tree::run(actor, Vec::new());
        Tree(vec![Node { last: None, steps: 0, next, after: Vec::new() }])
    }

    fn run(actor: &Actor<Reply>, answers: Vec<Answer>) -> Next<Reply> {
        PERFORMER.set(Some(Performer::Replay { answers, at: 0, asked: None }));
        let result = catch_unwind(AssertUnwindSafe(&actor.function));
        match (result, PERFORMER.take()) {
            (Ok(reply), _) => Next::End(reply),
            (Err(_), Some(Performer::Replay { asked: Some(call), .. })) => Next::Call(call),
            (Err(panic), _) => resume_unwind(panic),
        }
    }

    fn next(&self, node: u32) -> Next<Reply> {
        self.0[node as usize].next
    }

    /// The state that follows this answer.
    fn after(&mut self, actor: &Actor<Reply>, node: u32, answer: Answer) -> u32 {
        if let Some((_, after)) = self.0[node as usize].after.iter().find(|(given, _)| *given == answer) {
            return *after;
        }
        let mut answers = vec![answer];
        let mut at = node;
        while let Some((before, answer)) = self.0[at as usize].last {
            answers.push(answer);
            at = before;
        }
        answers.reverse();
        let (after, steps) = (self.0.len() as u32, answers.len());
        assert!(steps < SPINS, "{} goes on after {steps} steps", actor.name);
        let next = Tree::run(actor, answers);
        self.0.push(Node { last: Some((node, answer)), steps, next, after: Vec::new() });
        self.0[node as usize].after.push((answer, after));
        after
    }
}

const ACTORS: usize = 3;

/// A function that takes more steps than that has no end.
const SPINS: usize = 2000;

/// A state of all together.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    world: World,
    nodes: [u32; ACTORS],
    /// Who naps until another does something.
    naps: [bool; ACTORS],
    /// Who has made the last step, and how often that was another than before who could have gone on.
    last: Option<usize>,
    preemptions: usize,
}

/// Multiplies and turns: these are no adversary's keys.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }
    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }
    fn write_i32(&mut self, value: i32) {
        self.write_u64(value as u64);
    }
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

type Map<K, V> = HashMap<K, V, BuildHasherDefault<Mixer>>;

/// What was explored.
#[derive(Clone, Copy, Default)]
pub struct Explored {
    pub interleavings: f64,
    pub states: usize,
    pub worlds: usize,
    /// The most steps of one function.
    pub steps: usize,
}

impl Explored {
    pub fn add(&mut self, other: Explored) {
        self.interleavings += other.interleavings;
        self.states += other.states;
        self.worlds += other.worlds;
        self.steps = self.steps.max(other.steps);
    }
}

/// What must hold.
pub trait Claim<Reply> {
    /// In every world in which the actors may leave it when they are stopped for good, or die.
    fn of_world(&self, world: World);
    /// Of what an actor gives after so many steps, whatever the others do.
    fn of_reply(&self, reply: Reply, steps: usize);
    /// Once all have ended.
    fn of_end(&self, world: World);
}

struct Exploration<'a, Reply> {
    actors: &'a [Actor<Reply>],
    claim: &'a dyn Claim<Reply>,
    trees: Vec<Tree<Reply>>,
    /// How many interleavings go on from a state.
    states: Map<State, f64>,
    worlds: Map<World, ()>,
    path: Vec<(usize, Call)>,
    preemptions: usize,
}

/// That actors may be interrupted any number of times.
pub const ALWAYS: usize = usize::MAX;

/// All interleavings in which an actor that could go on is interrupted by another at most so often.
pub fn explore<Reply: Copy>(
    world: World,
    actors: &[Actor<Reply>],
    claim: &dyn Claim<Reply>,
    preemptions: usize,
) -> Explored {
    KIND.set(world.kind);
    let trees = actors.iter().map(Tree::new).collect();
    let (states, worlds) = (Map::default(), Map::default());
    let mut exploration = Exploration { actors, claim, trees, states, worlds, path: Vec::new(), preemptions };
    let first = State { world, nodes: [0; ACTORS], naps: [false; ACTORS], last: None, preemptions: 0 };
    let result = catch_unwind(AssertUnwindSafe(|| exploration.follow(first)));
    let interleavings = result.unwrap_or_else(|panic| {
        PERFORMER.take();
        println!("    {world:?}");
        exploration.path.iter().for_each(|(actor, call)| println!("    {}: {call:?}", actors[*actor].name));
        resume_unwind(panic)
    });
    let (states, worlds) = (exploration.states.len(), exploration.worlds.len());
    let steps = exploration.trees.iter().flat_map(|tree| &tree.0).map(|node| node.steps).max().unwrap_or(0);
    Explored { interleavings, states, worlds, steps }
}

impl<Reply: Copy> Exploration<'_, Reply> {
    /// Follows all ways on from a state, and counts them.
    fn follow(&mut self, state: State) -> f64 {
        if let Some(known) = self.states.get(&state) {
            return *known;
        }
        if let Entry::Vacant(new) = self.worlds.entry(state.world) {
            new.insert(());
            self.claim.of_world(state.world);
        }
        let goes_on = |actor: &usize| matches!(self.trees[*actor].next(state.nodes[*actor]), Next::Call(_));
        let under_way: Vec<usize> = (0..self.actors.len()).filter(goes_on).collect();
        let mut awake: Vec<usize> = under_way.iter().copied().filter(|actor| !state.naps[*actor]).collect();
        if awake.is_empty() {
            awake.clone_from(&under_way);
        }
        let mut ways = 0.0;
        for actor in awake.iter().copied() {
            let mut state = state;
            if self.preemptions != ALWAYS {
                let preempts = state.last.is_some_and(|last| last != actor && awake.contains(&last));
                (state.last, state.preemptions) = (Some(actor), state.preemptions + usize::from(preempts));
                if state.preemptions > self.preemptions {
                    continue;
                }
            }
            let Next::Call(call) = self.trees[actor].next(state.nodes[actor]) else { continue };
            let others_do_nothing = under_way.iter().all(|other| *other == actor || state.naps[*other]);
            if call == Call::Nap && !others_do_nothing {
                let mut napping = self.step(state, actor, call);
                napping.naps[actor] = true;
                ways += self.visit(napping, actor, call);
                let awake = self.patience_ends(state, actor);
                ways += self.visit(awake, actor, call);
            } else {
                let after = self.step(state, actor, call);
                ways += self.visit(after, actor, call);
            }
        }
        if under_way.is_empty() {
            self.claim.of_end(state.world);
            ways = 1.0;
        }
        self.states.insert(state, ways);
        ways
    }

    fn visit(&mut self, state: State, actor: usize, call: Call) -> f64 {
        self.path.push((actor, call));
        if let Next::End(reply) = self.trees[actor].next(state.nodes[actor]) {
            self.claim.of_reply(reply, self.trees[actor].0[state.nodes[actor] as usize].steps);
        }
        let ways = self.follow(state);
        self.path.pop();
        ways
    }

    fn step(&mut self, mut state: State, actor: usize, call: Call) -> State {
        let answer = state.world.perform(call, self.actors[actor].process);
        state.nodes[actor] = self.trees[actor].after(&self.actors[actor], state.nodes[actor], answer);
        if !call.only_looks() {
            state.naps = [false; ACTORS];
        }
        state.naps[actor] = false;
        state
    }

    /// The others do nothing for so long that the actor looks no more.
    fn patience_ends(&mut self, mut state: State, actor: usize) -> State {
        loop {
            match self.trees[actor].next(state.nodes[actor]) {
                Next::Call(call) if call.only_looks() => state = self.step(state, actor, call),
                _ => return state,
            }
        }
    }
}
