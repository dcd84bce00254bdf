//! One sequence: each step is performed, and judged by the model.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering::SeqCst;

use crate::actor::{Thread, Worker};
use crate::call::{self, Command, Look, NO_BYTES, Reply, Shared, UNTOUCHED, number};
use crate::model::{Limit, Mode, Model, PLACES, Prediction, Role, SETTLED, Socket, events, is_loose, process};
use crate::step::{DONTWAIT, Kind, PEEK, Step, Verb, Who};

const MILLISECOND: u64 = 1_000_000;

/// Longer than this nothing may wait that nothing ends.
const PATIENCE: u64 = 60 * MILLISECOND;

/// How late anything may be: machines are busy.
const SLACK: u64 = 2_000 * MILLISECOND;

/// What went wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    pub step: usize,
    pub why: String,
    /// A busy machine might be the cause.
    pub soft: bool,
}

#[derive(Default)]
pub struct Report {
    pub failure: Option<Failure>,
    pub performed: usize,
    /// The steps and what came of them.
    pub transcript: Vec<String>,
    /// Each function, mode and outcome that was seen.
    pub seen: BTreeSet<String>,
}

/// What a step found wrong, and whether the machine may be to blame.
type Verdict = Result<(), (String, bool)>;

fn wrong<T>(why: impl Into<String>) -> Result<T, (String, bool)> {
    Err((why.into(), false))
}

fn late<T>(why: impl Into<String>) -> Result<T, (String, bool)> {
    Err((why.into(), true))
}

/// What another did meanwhile.
struct Event {
    step: Step,
    command: Command,
    before: Look,
    reply: Reply,
}

pub struct Run {
    model: Model,
    shared: &'static Shared,
    worker: Worker,
    thread: Option<Thread>,
    report: Report,
}

/// Runs a sequence in this process, which must be a fresh one.
pub fn run(steps: &[Step], shared: &'static Shared) -> Report {
    let worker = Worker::fork(false, shared);
    let mut run = Run { model: Model::new(), shared, worker, thread: None, report: Report::default() };
    let mut pending = None;
    for (index, step) in steps.iter().enumerate() {
        shared.step.store(index as u32, SeqCst);
        let verdict = run.take(*step, &mut pending);
        if let Err((why, soft)) = verdict {
            run.report.failure = Some(Failure { step: index, why, soft });
            break;
        }
    }
    run.report
}

impl Run {
    fn take(&mut self, step: Step, pending: &mut Option<Step>) -> Verdict {
        let waiting = pending.take();
        let event = waiting.filter(|event| self.go_together(event, &step));
        if let (Some(alone), None) = (waiting, event) {
            self.one(alone, None)?;
        }
        if step.after.is_some() && step.who != Who::Main && may_go_along(step.verb) {
            *pending = Some(step);
            return Ok(());
        }
        self.one(step, event)
    }

    fn id(&self, who: Who, slot: usize) -> Option<usize> {
        self.model.slots[process(who)][slot]
    }

    /// Whether one step may be performed during another, and what comes of it is certain enough.
    fn go_together(&self, event: &Step, step: &Step) -> bool {
        let waits =
            step.verb.sends() || step.verb.receives() || matches!(step.verb, Verb::Accept | Verb::Connect | Verb::Wait);
        if step.who != Who::Main || !waits {
            return false;
        }
        let Some(id) = self.id(Who::Main, step.a).filter(|id| self.model.sockets[*id].kind.is_socket()) else {
            return false;
        };
        if event.verb == Verb::Signals {
            return true;
        }
        let Some(other) = self.id(event.who, event.a) else { return false };
        match event.verb {
            Verb::Cancel | Verb::Fire | Verb::Handle => self.cancels(event, step),
            Verb::Feed => !((step.verb.sends() || step.verb == Verb::Wait) && other == id),
            Verb::Drain => !(step.verb.receives() && other == id),
            Verb::Connect => other != id && self.certainly_connects(event),
            Verb::Settimeout if other == id => event.n >= 0.0 && event.n <= 0.05,
            Verb::Setblocking | Verb::Nonblock if other == id => (event.verb == Verb::Nonblock) == (event.n != 0.0),
            // It keeps the mode of the receiving side alone, where other code made them two.
            Verb::Setinterrupt if other == id => call::look(number(step.a)).settings() == self.model.sockets[id].left,
            _ => true,
        }
    }

    /// Whether an event makes a step's token readable.
    fn cancels(&self, event: &Step, step: &Step) -> bool {
        let (Some(other), Some(token)) =
            (self.id(event.who, event.a), step.token.and_then(|token| self.id(step.who, token)))
        else {
            return false;
        };
        let actor = &self.model.sockets[other];
        match (event.verb, actor.kind) {
            (Verb::Cancel | Verb::Handle, Kind::Token) | (Verb::Fire, Kind::Event) => other == token,
            (Verb::Fire, Kind::Pipe) => actor.peer == Some(token) && self.id(event.who, event.a) != Some(token),
            _ => false,
        }
    }

    /// What the kernel says of a step's token.
    fn token(&self, step: &Step) -> Option<Look> {
        step.token.map(|token| self.look(step.who, number(token)))
    }

    fn certainly_connects(&self, event: &Step) -> bool {
        let Some(socket) = self.model.socket(event.who, event.a) else { return false };
        let Some(listener) = self.model.socket(Who::Main, event.b) else { return false };
        socket.role == Role::Fresh
            && listener.role == Role::Listener
            && socket.kind == listener.kind
            && listener.backlog.is_empty()
    }

    /// Performs a step, unless the model has nothing to say of it.
    fn one(&mut self, step: Step, event: Option<Step>) -> Verdict {
        let line = self.report.transcript.len();
        self.report.transcript.extend(event.iter().map(ToString::to_string));
        self.report.transcript.push(step.to_string());
        let outcome = if step.verb.is_ours() { self.call(step, event)? } else { self.other(step)? };
        let told = outcome.unwrap_or_else(|| "skipped".into());
        let last = self.report.transcript.len() - 1;
        self.report.transcript[last] = format!("{step}  # {told}");
        if told == "skipped" {
            self.report.transcript.truncate(line);
        } else {
            self.report.performed += 1 + usize::from(event.is_some());
        }
        Ok(())
    }

    fn perform(&mut self, who: Who, command: &Command) -> Reply {
        self.begin(who, command);
        self.end(who, command)
    }

    fn begin(&mut self, who: Who, command: &Command) {
        match who {
            Who::Main => {}
            Who::Thread => self.thread.get_or_insert_with(|| Thread::start(self.shared)).begin(command),
            Who::Worker => self.worker.begin(command),
        }
    }

    fn end(&mut self, who: Who, command: &Command) -> Reply {
        match who {
            Who::Main => call::perform(command, self.shared),
            Who::Thread => self.thread.as_ref().expect("begun").end(),
            Who::Worker => self.worker.end(),
        }
    }

    fn look(&self, who: Who, fd: i32) -> Look {
        if who == Who::Worker { self.worker.look(fd) } else { call::look(fd) }
    }

    /// Lets arrive what the network is to deliver.
    fn settle(&self, who: Who, slot: usize) {
        let Some(socket) = self.model.socket(who, slot).filter(|socket| !socket.broken) else { return };
        let there = socket.written - socket.read;
        let ended = socket.peer.is_some_and(|peer| {
            let peer = &self.model.sockets[peer];
            peer.gone || peer.no_more_writes
        });
        let (bytes, events) = match (socket.kind, socket.role) {
            (_, Role::Listener) if !socket.backlog.is_empty() => (0, libc::POLLIN),
            (Kind::Tcp, Role::Connecting) => (there.min(SETTLED), libc::POLLOUT),
            (Kind::Tcp, Role::Connected) if is_loose(socket) => (1, 0),
            (Kind::Tcp, Role::Connected) if ended => (there, libc::POLLRDHUP),
            (Kind::Tcp, Role::Connected) => (there, 0),
            (Kind::Udp, _) if !socket.messages.is_empty() => (0, libc::POLLIN),
            _ => return,
        };
        match who {
            Who::Worker => self.worker.settle(number(slot), bytes, events),
            _ => call::settle(number(slot), bytes, events),
        }
    }

    fn command(&mut self, step: &Step) -> Command {
        let mut command =
            Command { onto: number(step.b), n: step.n, flags: step.flags, ..Command::new(step.verb, step.a) };
        command.delay = step.after.unwrap_or(0);
        (command.until, command.token) = (step.until, step.token.map_or(-1, number));
        if step.verb == Verb::Signals {
            command.fd = std::process::id() as i32;
        }
        if let Some(id) = self.id(step.who, step.a) {
            command.kind = self.model.sockets[id].kind;
            if step.verb.sends() || step.verb == Verb::Feed {
                (command.pattern, command.offset) = self.model.next_bytes(id);
            }
        }
        if step.verb == Verb::Connect
            && self.model.socket(Who::Main, step.b).is_some_and(|to| to.role == Role::Listener)
        {
            (command.address, command.addrlen) = call::name(number(step.b));
        }
        command
    }

    /// What other code does.
    fn other(&mut self, step: Step) -> Result<Option<String>, (String, bool)> {
        let Step { verb, who, kind, a, b, c, .. } = step;
        let id = self.id(who, a);
        let connected = id.map(|id| &self.model.sockets[id]).filter(|socket| matches!(socket.role, Role::Connected));
        match verb {
            Verb::Pair if who == Who::Main && a != b => {
                call::pair(kind, number(a), number(b));
                self.model.put_pair(kind, a, b);
            }
            Verb::Listen | Verb::Socket if who == Who::Main && matches!(kind, Kind::UnixStream | Kind::Tcp) => {
                if verb == Verb::Listen {
                    call::listener(kind, if kind == Kind::Tcp { 64 } else { crate::model::BACKLOG as i32 }, number(a));
                } else {
                    call::fresh(kind, number(a));
                }
                let id = self.model.add(kind, if verb == Verb::Listen { Role::Listener } else { Role::Fresh });
                self.model.put(who, a, Some(id));
            }
            Verb::Collide if who == Who::Main && a != b && connected.is_some_and(|socket| socket.kind.is_socket()) => {
                let cookie = call::look(number(a)).cookie;
                let found = (0..PLACES * 16).any(|_| {
                    call::pair(Kind::UnixStream, number(b), number(c));
                    call::look(number(b)).cookie % PLACES == cookie % PLACES
                });
                self.model.put_pair(Kind::UnixStream, b, c);
                return Ok(Some(if found { "found" } else { "no such socket came" }.into()));
            }
            Verb::Dup if who != Who::Thread && id.is_some() && a != b => {
                let command = self.command(&step);
                self.perform(who, &command);
                self.model.put(who, b, id);
            }
            Verb::Close if who != Who::Thread && id.is_some() => {
                let command = self.command(&step);
                self.perform(who, &command);
                self.model.put(who, a, None);
            }
            Verb::Share if who == Who::Main && id.is_some() => {
                self.worker.share(a);
                self.model.put(Who::Worker, a, id);
            }
            Verb::Fork if who == Who::Main => {
                self.worker = Worker::fork(true, self.shared);
                self.model.fork();
            }
            Verb::Nonblock if id.is_some() => return Ok(Some(self.alone(step))),
            Verb::Rcvtimeo | Verb::Sndtimeo | Verb::Sndbuf
                if connected.is_some_and(|socket| socket.kind.is_socket()) =>
            {
                return Ok(Some(self.alone(step)));
            }
            Verb::Event if who == Who::Main => {
                let command = self.command(&step);
                self.perform(who, &command);
                let id = self.model.add(Kind::Event, Role::Connected);
                self.model.put(who, a, Some(id));
            }
            // A reading end cannot be written to, and one whose other end is gone raises SIGPIPE.
            Verb::Fire
                if connected.is_some_and(|socket| match socket.kind {
                    Kind::Event => true,
                    Kind::Pipe => socket.peer.is_some_and(|peer| !self.model.sockets[peer].gone),
                    _ => false,
                }) =>
            {
                return Ok(Some(self.alone(step)));
            }
            Verb::Shutdown if connected.is_some_and(can_shut_down) => return Ok(Some(self.alone(step))),
            Verb::Feed if connected.is_some_and(|socket| can_be_fed(socket, step.n)) => {
                return Ok(Some(self.alone(step)));
            }
            Verb::Drain if connected.is_some_and(|socket| socket.kind.is_stream()) => {
                self.settle(who, a);
                return Ok(Some(self.alone(step)));
            }
            _ => return Ok(None),
        }
        Ok(Some("done".into()))
    }

    /// Performs what may also be performed during a call, by itself.
    fn alone(&mut self, step: Step) -> String {
        let command = self.command(&Step { after: None, ..step });
        self.shared.done.store(1, SeqCst);
        let before = self.look(step.who, command.fd);
        let reply = self.perform(step.who, &command);
        let event = Event { step, command, before, reply };
        match self.apply(&event) {
            Ok(()) => format!("done {}", reply.out),
            Err((why, _)) => why,
        }
    }

    /// What another did has these consequences.
    fn apply(&mut self, event: &Event) -> Verdict {
        let Event { step, command, before, reply } = event;
        let Some(id) = self.id(step.who, step.a) else { return Ok(()) };
        match step.verb {
            Verb::Sndbuf => self.model.sockets[id].small = true,
            Verb::Shutdown if reply.code == 0 => {
                self.model.sockets[id].no_more_reads |= step.n != 1.0;
                self.model.sockets[id].no_more_writes |= step.n >= 1.0;
                self.model.resets(id);
            }
            Verb::Feed if reply.code == 1 => self.model.sent(id, reply.out, command.pattern),
            Verb::Drain => {
                let socket = &self.model.sockets[id];
                if reply.out > socket.written - socket.read {
                    return wrong(format!("{} bytes came where {} were sent", reply.out, socket.written - socket.read));
                }
                if self.model.expected(id, reply.out, u64::MAX) != reply.hash {
                    return wrong("other bytes were received than were sent");
                }
                self.model.received(id, reply.out, u64::MAX, false);
            }
            Verb::Close => self.model.put(step.who, step.a, None),
            Verb::Connect if reply.code == 0 || reply.code == -i64::from(libc::EINPROGRESS) => {
                let role = if reply.code == 0 { Role::Connected } else { Role::Connecting };
                let Some(listener) = self.id(Who::Main, step.b) else { return Ok(()) };
                self.model.connected(id, listener, role);
            }
            verb if verb.sets_mode() && reply.code == 0 => {
                let after = self.look(step.who, command.fd);
                self.changed(step, id, before, &after);
            }
            _ => {}
        }
        Ok(())
    }

    /// A function that sets a mode succeeded.
    fn changed(&mut self, step: &Step, id: usize, before: &Look, after: &Look) {
        // Other code's timeouts take the wish for interruption away.
        let kept = self.model.is_interruptible(&self.model.sockets[id], before);
        let mode = self.model.mode(&self.model.sockets[id], before, false);
        let ours = before.settings() == self.model.sockets[id].left;
        self.model.sockets[id].interruptible = kept;
        let limit = match step.verb {
            Verb::Setblocking => Ok(if step.n != 0.0 { Limit::Forever } else { Limit::Nothing }),
            Verb::Settimeout => Limit::from_seconds(step.n),
            _ => {
                let socket = &mut self.model.sockets[id];
                socket.interruptible = step.n != 0.0;
                if ours {
                    socket.left = after.settings();
                } else {
                    self.model.adopted(id, mode, after);
                }
                return;
            }
        };
        if let Ok(limit) = limit {
            if !ours {
                self.model.sockets[id].interruptible = self.model.shows_interruption(limit, after);
            }
            self.model.asked(id, limit, after);
        }
    }

    /// Whether a call that would wait for long is certain to end.
    fn ends(&self, step: &Step, prediction: &Prediction, event: Option<&Step>) -> bool {
        if prediction.waits.is_none() || prediction.mode.most() <= PATIENCE {
            return true;
        }
        let (Some(event), Some(id)) = (event, self.id(step.who, step.a)) else { return false };
        let socket = &self.model.sockets[id];
        let Some(other) = self.id(event.who, event.a) else { return false };
        let actor = &self.model.sockets[other];
        if self.cancels(event, step) {
            return true;
        }
        let is_own = other == id && event.verb == Verb::Shutdown;
        if actor.peer != Some(id) && event.verb != Verb::Connect && !is_own {
            return false;
        }
        let undisturbed = |socket: &Socket| !socket.broken && !socket.no_more_reads && !socket.no_more_writes;
        let reads = step.verb.receives() || step.verb == Verb::Wait && events(step.flags) & libc::POLLIN != 0;
        match event.verb {
            Verb::Feed if reads && undisturbed(socket) && undisturbed(actor) && can_be_fed(actor, event.n) => {
                let there = prediction.waits.map_or(0, |(_, done)| done);
                let room = actor.kind.is_stream() || socket.messages.is_empty();
                step.verb != Verb::Recvdelim
                    && event.n >= 1.0
                    && room
                    && (step.verb != Verb::Recvall || there + event.n as u64 >= step.n as u64)
            }
            Verb::Drain if undisturbed(socket) && undisturbed(actor) && actor.kind.is_stream() => {
                step.verb.sends() || step.verb == Verb::Wait && events(step.flags) == libc::POLLOUT
            }
            Verb::Shutdown if is_own => reads && can_shut_down(actor) && event.n != 1.0,
            Verb::Shutdown => reads && can_shut_down(actor) && event.n >= 1.0,
            Verb::Connect => step.verb == Verb::Accept && self.id(Who::Main, event.b) == Some(id),
            _ => false,
        }
    }

    /// A call of the library. `None`: the model has nothing to say, or it might never end.
    fn call(&mut self, step: Step, event: Option<Step>) -> Result<Option<String>, (String, bool)> {
        self.settle(step.who, step.a);
        let fd = number(step.a);
        let before = self.look(step.who, fd);
        let Some(first) = self.model.predict(&step, &before, self.token(&step).as_ref()) else { return Ok(None) };
        let floods =
            step.verb.sends() && self.model.socket(step.who, step.a).is_some_and(|socket| self.overflows(socket));
        if floods
            || step.n >= 1e9 && (step.verb.sends() || step.verb.receives())
            || !self.ends(&step, &first, event.as_ref())
        {
            return Ok(None);
        }
        if event.is_some_and(|event| !self.applies(&event)) {
            return Ok(None);
        }
        if step.verb == Verb::Accept && step.a == step.b {
            return Ok(None);
        }
        self.shared.done.store(0, SeqCst);
        let command = self.command(&step);
        let other = event.map(|event| {
            let command = self.command(&event);
            (event, command, self.look(event.who, command.fd))
        });
        if let Some((event, command, _)) = &other {
            self.begin(event.who, command);
        }
        let reply = self.perform(step.who, &command);
        self.shared.done.store(1, SeqCst);
        let event = other.map(|(step, command, before)| {
            let reply = self.end(step.who, &command);
            Event { step, command, before, reply }
        });
        let mut after = if step.verb == Verb::Accept && step.b == step.a { before } else { self.look(step.who, fd) };
        after.ready = before.ready;

        // What another did was before or after, and a part of it may have been.
        let draining = event.as_ref().is_some_and(|event| event.step.verb == Verb::Drain);
        let untouched = self.model.clone();
        if let Some(event) = event.as_ref().filter(|_| !draining) {
            self.apply(event)?;
        }
        // What a listener becomes says nothing of its mode.
        let seen = if step.verb == Verb::Accept && step.until.is_some() { before } else { after };
        let second = event.as_ref().and_then(|_| self.model.predict(&step, &seen, self.token(&step).as_ref()));
        let outcome = self.judge(&step, &reply, &first, second.as_ref(), event.as_ref());
        let told = tell(&step, &reply);
        self.see(&untouched, &step, &before, &first, &reply);
        if let Err((why, soft)) = outcome {
            let last = self.report.transcript.len() - 1;
            self.report.transcript[last] = format!("{step}  # {told}");
            return Err((format!("{step}: {told}: {why}"), soft));
        }
        self.consequences(&step, &command, &reply, (&before, &after), event.as_ref().is_some_and(changes_mode))
            .map_err(|(why, soft)| (format!("{step}: {told}: {why}"), soft))?;
        if let Some(event) = event.as_ref().filter(|_| draining) {
            self.apply(event)?;
        }
        Ok(Some(told))
    }

    fn applies(&self, event: &Step) -> bool {
        let socket = self.model.socket(event.who, event.a);
        match event.verb {
            Verb::Signals => true,
            Verb::Feed => {
                socket.is_some_and(|s| s.role == Role::Connected && can_be_fed(s, event.n) && !self.overflows(s))
            }
            Verb::Drain => socket.is_some_and(|socket| socket.role == Role::Connected && socket.kind.is_stream()),
            Verb::Shutdown => socket.is_some_and(|socket| socket.role == Role::Connected && can_shut_down(socket)),
            Verb::Close => event.who == Who::Worker,
            Verb::Cancel => socket.is_some_and(|socket| socket.kind == Kind::Token),
            Verb::Handle => event.who == Who::Thread && socket.is_some_and(|socket| socket.kind == Kind::Token),
            Verb::Fire => socket.is_some_and(|socket| matches!(socket.kind, Kind::Event | Kind::Pipe)),
            _ => socket.is_some(),
        }
    }

    /// UDP drops what there is no room for.
    fn overflows(&self, socket: &Socket) -> bool {
        let messages = socket.peer.map(|peer| &self.model.sockets[peer].messages);
        let bytes =
            |messages: &std::collections::VecDeque<(u64, u64)>| messages.iter().map(|message| message.1).sum::<u64>();
        socket.kind == Kind::Udp && messages.is_some_and(|messages| messages.len() > 16 || bytes(messages) > 20_000)
    }

    fn judge(
        &self,
        step: &Step,
        reply: &Reply,
        first: &Prediction,
        second: Option<&Prediction>,
        event: Option<&Event>,
    ) -> Verdict {
        let predictions = || std::iter::once(first).chain(second);
        let failed = reply.code < 0;
        let expected = if failed { -reply.code } else { i64::from(UNTOUCHED) };
        if i64::from(reply.errno) != expected {
            return wrong(format!("errno is {}", reply.errno));
        }
        let (code, count) = outcome(step, reply);
        let elapsed = reply.end - reply.start;
        let asked = step.until.unwrap_or(0.0).max(0.0);
        if code == -i64::from(libc::ETIMEDOUT) && (elapsed as f64) < asked * 1e9 {
            return wrong(format!("it ended after {elapsed} ns, before its deadline"));
        }
        let unready = predictions().any(|prediction| code == unready_code(prediction.mode));
        let is_signal = |event: &&Event| matches!(event.step.verb, Verb::Signals | Verb::Handle);
        let signals = event.filter(is_signal).filter(|event| event.reply.start <= reply.end);
        let interrupted = code == -i64::from(libc::EINTR)
            && signals.is_some()
            && predictions().any(|prediction| prediction.interruptible);

        // One of the results that need no waiting, or of those in between.
        let (mut least, mut most, mut known) = (u64::MAX, 0, false);
        for allowed in predictions().flat_map(|prediction| &prediction.now).filter(|allowed| allowed.code == code) {
            (least, most, known) = (least.min(allowed.least), most.max(allowed.most), true);
        }
        if known && event.is_some() {
            // The first of what came may have been enough.
            let is_whole = matches!(step.verb, Verb::Sendall | Verb::Recvall | Verb::Recvdelim);
            least = if is_whole { least } else { least.min(1) };
            if code != 0 {
                let parts = predictions().filter_map(|prediction| prediction.waits);
                least = parts.clone().map(|(least, _)| least).min().unwrap_or(least).min(least);
                most = parts.map(|(_, most)| most).max().unwrap_or(most).max(most);
            }
        }
        let partial = signals.is_some() && first.interruptible && step.verb.sends() && count > 0;
        let timely = event.map_or(0, |event| event.reply.end.saturating_sub(reply.start)) + SLACK;
        if known && (count >= least || partial) && count <= most {
            return if elapsed > timely { late(format!("it took {} ms", elapsed / MILLISECOND)) } else { Ok(()) };
        }
        if step.verb == Verb::Wait && code > 0 && event.is_some() {
            let asked = events(step.flags) | libc::POLLERR | libc::POLLHUP;
            return if code & !i64::from(asked) == 0 { Ok(()) } else { wrong("events that were not asked for") };
        }
        // Or not ready.
        let waits = || predictions().filter_map(|prediction| prediction.waits);
        let fits = waits().any(|_| {
            let least = waits().map(|(least, _)| least).min().unwrap_or(0);
            let most = waits().map(|(_, most)| most).max().unwrap_or(0);
            count >= least && (count <= most || event.is_some() && count < step.n as u64)
        });
        if !fits || !(unready || interrupted) {
            return wrong(format!("expected {}", expectation(first, second)));
        }
        if interrupted || code == -i64::from(libc::EAGAIN) {
            return if elapsed > timely + PATIENCE {
                late(format!("it took {} ms", elapsed / MILLISECOND))
            } else {
                Ok(())
            };
        }
        let least = predictions().map(|prediction| prediction.mode.least()).min().unwrap_or(0);
        let most = predictions().map(|prediction| prediction.mode.most()).max().unwrap_or(0);
        if elapsed < least {
            return wrong(format!("it timed out after {elapsed} ns, {} ns early", least - elapsed));
        }
        if elapsed > most.saturating_add(SLACK) {
            return late(format!("it timed out after {} ms, not {}", elapsed / MILLISECOND, most / MILLISECOND));
        }
        let (Some(event), Some(second)) = (event, second) else { return Ok(()) };
        let in_time = event.reply.end + 5 * MILLISECOND < reply.start + least;
        // poll says nothing of one's own shutdown.
        let unseen = event.step.verb == Verb::Shutdown && step.verb.sends();
        if in_time && !unseen && !second.now.is_empty() && second.waits.is_none() {
            return late("it timed out though it was ready before");
        }
        let signalled = event.reply.start > reply.start + 5 * MILLISECOND
            && event.reply.start + 5 * MILLISECOND < reply.start + least;
        if signals.is_some() && signalled && first.interruptible {
            return late("a signal did not interrupt it");
        }
        Ok(())
    }

    /// What a call that was judged good did to the sockets.
    fn consequences(
        &mut self,
        step: &Step,
        command: &Command,
        reply: &Reply,
        (before, after): (&Look, &Look),
        disturbed: bool,
    ) -> Verdict {
        if step.verb == Verb::Token && reply.code == 0 {
            let id = self.model.add(Kind::Token, Role::Connected);
            self.model.put(step.who, step.a, Some(id));
            return Ok(());
        }
        let Some(id) = self.id(step.who, step.a) else { return Ok(()) };
        let (code, count) = outcome(step, reply);
        let connects = matches!(step.verb, Verb::Accept | Verb::Connect);
        if !disturbed && before.settings() != after.settings() && !(connects || step.verb.sets_mode() && code == 0) {
            return wrong(format!("the settings were {:?} and are {:?}", before.settings(), after.settings()));
        }
        if step.verb.sets_mode() && code == 0 {
            self.changed(step, id, before, after);
        }
        if connects && before.settings() == self.model.sockets[id].left && before.settings() != after.settings() {
            let socket = &mut self.model.sockets[id];
            if !disturbed && !matches!(socket.limit, Limit::Nanoseconds(_)) && step.until.is_none() {
                return wrong("the settings changed without a timeout");
            }
            if !disturbed {
                socket.left = after.settings();
            }
        }
        if step.verb == Verb::Gettimeout && code == 0 {
            let socket = &self.model.sockets[id];
            return check_seconds(f64::from_bits(reply.out), self.model.mode(socket, before, false));
        }
        let moved = count > 0 || code == 0;
        if step.verb.sends() && moved && !(step.verb == Verb::Sendall && step.n == 0.0) {
            self.model.sent(id, count, command.pattern);
        }
        let ended = code == -i64::from(libc::EPIPE) && step.verb == Verb::Recvall;
        if step.verb.receives() && (moved || ended) && !(step.verb == Verb::Recvall && step.n == 0.0) {
            let all = step.verb == Verb::Recvall;
            if self.model.expected(id, count, step.n as u64) != reply.hash {
                return wrong("other bytes were received than were sent");
            }
            if step.flags & PEEK == 0 && (count > 0 || !all) {
                self.model.received(id, count, step.n as u64, all);
            }
            if ended {
                self.model.end_received(id);
            }
        } else if step.verb.receives() && reply.hash != NO_BYTES {
            return wrong("bytes came with a failure");
        }
        if step.verb == Verb::Connect && step.until.is_none_or(|seconds| seconds > 0.0) {
            let begun = [libc::EINPROGRESS, libc::ETIMEDOUT, libc::EINTR, libc::ECANCELED, libc::EBADF]
                .iter()
                .any(|error| code == -i64::from(*error));
            let socket = &self.model.sockets[id];
            let tcp = socket.kind == Kind::Tcp;
            match (socket.role, self.id(Who::Main, step.b)) {
                (Role::Fresh, Some(listener)) if code == 0 => self.model.connected(id, listener, Role::Connected),
                (Role::Fresh, Some(listener)) if begun && tcp => self.model.connected(id, listener, Role::Connecting),
                (Role::Connecting, _) if code == 0 || code == -i64::from(libc::EISCONN) => {
                    self.model.sockets[id].role = Role::Connected;
                }
                _ => {}
            }
        }
        if step.verb == Verb::Accept && code == 0 {
            if reply.out != 1 {
                return wrong("the connection is not close-on-exec, or not in blocking mode");
            }
            let connection = self.model.sockets[id].backlog.pop_front();
            self.model.put(step.who, step.b, connection);
        }
        Ok(())
    }

    fn see(&mut self, model: &Model, step: &Step, before: &Look, prediction: &Prediction, reply: &Reply) {
        let mode = match model.socket(step.who, step.a) {
            _ if matches!(step.verb, Verb::Strerror | Verb::Version | Verb::Deadline | Verb::Token) => "any",
            None => "closed",
            Some(socket) if !socket.kind.is_socket() => "no socket",
            _ if step.token.is_some() => "until a deadline or a token",
            _ if step.until.is_some() => "until a deadline",
            _ if step.flags & DONTWAIT != 0 => "dontwait",
            Some(socket) if before.settings() != socket.left => match prediction.mode {
                Mode::Now => "foreign non-blocking",
                Mode::Timed { .. } => "foreign timeout",
                Mode::Forever => "foreign blocking",
            },
            _ => match prediction.mode {
                Mode::Now => "non-blocking",
                Mode::Timed { .. } if before.nonblocking => "polled timeout",
                Mode::Timed { .. } => "timeout",
                Mode::Forever => "blocking",
            },
        };
        let (code, count) = outcome(step, reply);
        let part = (step.verb.sends() || step.verb.receives()) && count > 0 && count < step.n as u64;
        let part = if part { " after a part" } else { "" };
        let result = if code < 0 { name(code) } else { "ok".into() };
        self.report.seen.insert(format!("{}, {mode}: {result}{part}", step.verb.name()));
    }
}

fn may_go_along(verb: Verb) -> bool {
    use Verb::{
        Cancel, Close, Connect, Drain, Feed, Fire, Handle, Nonblock, Setblocking, Setinterrupt, Settimeout, Shutdown,
        Signals,
    };
    matches!(
        verb,
        Cancel
            | Fire
            | Handle
            | Feed
            | Drain
            | Signals
            | Shutdown
            | Close
            | Nonblock
            | Settimeout
            | Setblocking
            | Setinterrupt
            | Connect
    )
}

fn changes_mode(event: &Event) -> bool {
    event.step.verb.sets_mode() || event.step.verb == Verb::Nonblock
}

fn can_shut_down(socket: &Socket) -> bool {
    socket.kind.is_stream() || socket.kind == Kind::UnixSeqpacket
}

fn can_be_fed(socket: &Socket, len: f64) -> bool {
    match socket.kind {
        kind if !kind.is_socket() => false,
        kind => kind.is_stream() || len <= 1000.0,
    }
}

fn unready_code(mode: Mode) -> i64 {
    match mode {
        Mode::Now => -i64::from(libc::EAGAIN),
        Mode::Timed { .. } => -i64::from(libc::ETIMEDOUT),
        Mode::Forever => 0,
    }
}

/// A code of 0 or below, and how many bytes were moved; what a function gives that is neither stays a code.
fn outcome(step: &Step, reply: &Reply) -> (i64, u64) {
    match step.verb {
        Verb::Sendall | Verb::Recvall | Verb::Recvdelim => (reply.code, reply.out),
        verb if (verb.sends() || verb.receives()) && reply.code >= 0 => (0, reply.code as u64),
        Verb::Accept => (reply.code.min(0), 0),
        _ => (reply.code, 0),
    }
}

fn name(code: i64) -> String {
    let names = [
        (libc::EAGAIN, "EAGAIN"),
        (libc::EALREADY, "EALREADY"),
        (libc::ECANCELED, "ECANCELED"),
        (libc::EBADF, "EBADF"),
        (libc::ECONNREFUSED, "ECONNREFUSED"),
        (libc::ECONNRESET, "ECONNRESET"),
        (libc::EFAULT, "EFAULT"),
        (libc::EINPROGRESS, "EINPROGRESS"),
        (libc::EINTR, "EINTR"),
        (libc::EINVAL, "EINVAL"),
        (libc::EISCONN, "EISCONN"),
        (libc::EMSGSIZE, "EMSGSIZE"),
        (libc::ENOTCONN, "ENOTCONN"),
        (libc::ENOTSOCK, "ENOTSOCK"),
        (libc::EOPNOTSUPP, "EOPNOTSUPP"),
        (libc::EOVERFLOW, "EOVERFLOW"),
        (libc::EPIPE, "EPIPE"),
        (libc::ETIMEDOUT, "ETIMEDOUT"),
    ];
    let known = names.iter().find(|(number, _)| -i64::from(*number) == code);
    known.map_or_else(|| code.to_string(), |(_, name)| (*name).to_string())
}

fn tell(step: &Step, reply: &Reply) -> String {
    let (code, count) = outcome(step, reply);
    let result = if code < 0 { name(code) } else { code.to_string() };
    let value = match step.verb {
        verb if verb.sends() || verb.receives() => format!(", {count} bytes"),
        Verb::Gettimeout if code == 0 => format!(", {} s", f64::from_bits(reply.out)),
        _ => String::new(),
    };
    format!("{result}{value} in {:.3} ms", (reply.end - reply.start) as f64 / 1e6)
}

fn expectation(first: &Prediction, second: Option<&Prediction>) -> String {
    let mut parts = Vec::new();
    for prediction in std::iter::once(first).chain(second) {
        for allowed in &prediction.now {
            let code = if allowed.code < 0 { name(allowed.code) } else { allowed.code.to_string() };
            parts.push(format!("{code} with {} to {} bytes", allowed.least, allowed.most));
        }
        if let Some((least, most)) = prediction.waits {
            let code = name(unready_code(prediction.mode));
            parts.push(format!("a wait ({code} with {least} to {most} bytes, {:?})", prediction.mode));
        }
    }
    parts.dedup();
    parts.join(" or ")
}

fn check_seconds(seconds: f64, mode: Mode) -> Verdict {
    let good = match mode {
        Mode::Now => seconds == 0.0,
        Mode::Forever => seconds == f64::INFINITY,
        Mode::Timed { least, most } => {
            let seconds_of = |nanoseconds: u64| nanoseconds as f64 / 1e9;
            seconds >= seconds_of(least) && (seconds <= seconds_of(most) || most == u64::MAX)
        }
    };
    if good { Ok(()) } else { wrong(format!("it is {seconds} s, not {mode:?}")) }
}
