//! What must be true of the sockets, by the contract alone: their modes, and what is in their queues.

use std::collections::VecDeque;

use crate::call::{LINE_END, Look, NO_BYTES, fill, hash};
use crate::step::{DONTWAIT, HUGE, IN, Kind, NULL, OUT, PEEK, SLOTS, Step, Verb, Who};

/// How many of its neighbours in the library's table a socket's cookie tells it from.
pub const PLACES: u64 = 1 << 14;

/// How many connections more than one a Unix listener has room for, and as good as TCP's.
pub const BACKLOG: usize = 1;
pub const TCP_BACKLOG: usize = 8;

/// From here on the kernel's share of a timeout may stand for none.
const LONGEST: u64 = 2_000_000 * 1_000_000_000;

/// And from here on a timeout is kept in larger steps.
const LONG: u64 = 1_000_000 * 1_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    Nothing,
    Nanoseconds(u64),
    Forever,
}

impl Limit {
    /// The code of what is refused, or the limit.
    pub fn from_seconds(seconds: f64) -> Result<Limit, i64> {
        match seconds {
            _ if seconds.is_nan() || seconds < 0.0 => Err(-i64::from(libc::EINVAL)),
            0.0 => Ok(Limit::Nothing),
            f64::INFINITY => Ok(Limit::Forever),
            _ if seconds * 1e9 >= i64::MAX as f64 => Err(-i64::from(libc::EOVERFLOW)),
            // The fewest nanoseconds that read back as no less.
            _ => {
                let nearest = (seconds * 1e9) as u64;
                Ok(Limit::Nanoseconds(nearest + u64::from(nearest as f64 / 1e9 < seconds)))
            }
        }
    }
}

/// For how long a call may wait, in nanoseconds, as far as that is certain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    Now,
    Timed { least: u64, most: u64 },
    Forever,
}

impl Mode {
    pub fn least(self) -> u64 {
        match self {
            Mode::Now => 0,
            Mode::Timed { least, .. } => least,
            Mode::Forever => u64::MAX,
        }
    }

    pub fn most(self) -> u64 {
        match self {
            Mode::Now => 0,
            Mode::Timed { most, .. } => most,
            Mode::Forever => u64::MAX,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    Connected,
    /// It has begun to connect, and by itself goes on.
    Connecting,
    Fresh,
    Listener,
}

/// A socket, whoever has a descriptor of it.
#[derive(Clone)]
pub struct Socket {
    pub kind: Kind,
    pub role: Role,
    pub limit: Limit,
    pub interruptible: bool,
    /// The kernel's settings, as the library left them. If they are others now, other code set them.
    pub left: (bool, u64, u64),
    /// By how much the timeout may be longer, for it was other code's.
    pub slack: u64,
    pub peer: Option<usize>,
    /// What was received, and what was sent to here, in bytes.
    pub read: u64,
    pub written: u64,
    /// Messages that wait to be received: their patterns and lengths.
    pub messages: VecDeque<(u64, u64)>,
    pub no_more_reads: bool,
    pub no_more_writes: bool,
    /// No descriptor of it is left.
    pub gone: bool,
    /// The peer was gone before all was read, or may find that there is nobody.
    pub broken: bool,
    pub small: bool,
    pub backlog: VecDeque<usize>,
}

/// A result that may be: a code, and a count of bytes between two.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub code: i64,
    pub least: u64,
    pub most: u64,
}

fn error(number: i32) -> Allowed {
    Allowed { code: -i64::from(number), least: 0, most: 0 }
}

fn success(least: u64, most: u64) -> Allowed {
    Allowed { code: 0, least, most }
}

/// Results without waiting, and the bytes done when there is a wait.
type Outcomes = (Vec<Allowed>, Option<(u64, u64)>);

/// What a call may do.
pub struct Prediction {
    /// Results without waiting.
    pub now: Vec<Allowed>,
    /// It may find that it is not ready, having done so many bytes.
    pub waits: Option<(u64, u64)>,
    pub mode: Mode,
    pub interruptible: bool,
}

#[derive(Clone)]
pub struct Model {
    pub sockets: Vec<Socket>,
    /// The sockets of the main process and of the worker, by descriptor.
    pub slots: [[Option<usize>; SLOTS]; 2],
    /// How many messages were made.
    messages: u64,
    tick: u64,
}

pub fn process(who: Who) -> usize {
    usize::from(who == Who::Worker)
}

impl Model {
    pub fn new() -> Model {
        let mut tick = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the pointer is to a local.
        unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut tick) };
        Model { sockets: Vec::new(), slots: [[None; SLOTS]; 2], messages: 0, tick: tick.tv_nsec as u64 }
    }

    pub fn socket(&self, who: Who, slot: usize) -> Option<&Socket> {
        self.slots[process(who)][slot].map(|id| &self.sockets[id])
    }

    pub fn add(&mut self, kind: Kind, role: Role) -> usize {
        self.sockets.push(Socket {
            kind,
            role,
            limit: Limit::Forever,
            interruptible: false,
            left: (false, 0, 0),
            slack: 0,
            peer: None,
            read: 0,
            written: 0,
            messages: VecDeque::new(),
            no_more_reads: false,
            no_more_writes: false,
            gone: false,
            broken: false,
            small: false,
            backlog: VecDeque::new(),
        });
        self.sockets.len() - 1
    }

    /// Two connected sockets of the main process.
    pub fn put_pair(&mut self, kind: Kind, a: usize, b: usize) {
        let (one, other) = (self.add(kind, Role::Connected), self.add(kind, Role::Connected));
        self.sockets[one].peer = Some(other);
        self.sockets[other].peer = Some(one);
        (self.slots[0][a], self.slots[0][b]) = (Some(one), Some(other));
        self.bury();
    }

    pub fn put(&mut self, who: Who, slot: usize, id: Option<usize>) {
        self.slots[process(who)][slot] = id;
        self.bury();
    }

    pub fn fork(&mut self) {
        self.slots[1] = self.slots[0];
        self.bury();
    }

    /// Sockets that nobody has a descriptor of, and that wait in no queue, are gone.
    fn bury(&mut self) {
        loop {
            let held: Vec<usize> = self.slots.iter().flatten().flatten().copied().collect();
            let queued: Vec<usize> =
                self.sockets.iter().filter(|socket| !socket.gone).flat_map(|socket| socket.backlog.clone()).collect();
            let orphan = (0..self.sockets.len())
                .find(|id| !self.sockets[*id].gone && !held.contains(id) && !queued.contains(id));
            let Some(id) = orphan else { return };
            self.sockets[id].gone = true;
            let socket = &self.sockets[id];
            let unread = socket.read < socket.written || !socket.messages.is_empty();
            let refused = self.sockets.iter().any(|listener| listener.backlog.contains(&id));
            let broken = unread || refused || !socket.kind.is_unix() || socket.kind == Kind::UnixDatagram;
            if let Some(peer) = self.sockets[id].peer {
                self.sockets[peer].broken |= broken;
            }
        }
    }

    /// TCP refuses what comes when neither is to be received nor sent any more.
    pub fn resets(&mut self, id: usize) {
        let socket = &self.sockets[id];
        if socket.kind == Kind::Tcp && socket.no_more_reads && socket.no_more_writes {
            let peer = socket.peer;
            for end in [Some(id), peer].into_iter().flatten() {
                self.sockets[end].broken = true;
            }
        }
    }

    /// What is sent on a socket goes to its peer.
    fn peer(&self, socket: &Socket) -> Option<&Socket> {
        socket.peer.map(|peer| &self.sockets[peer]).filter(|peer| !peer.gone)
    }

    /// The mode of a socket whose settings are these, on the receiving or on the sending side.
    pub fn mode(&self, socket: &Socket, look: &Look, sending: bool) -> Mode {
        if look.settings() != socket.left {
            return self.mode_of_others(look, sending);
        }
        let asked = match socket.limit {
            Limit::Nothing => return Mode::Now,
            Limit::Forever => return Mode::Forever,
            Limit::Nanoseconds(asked) => asked,
        };
        // To the nanosecond, in every process, but that one of weeks is kept in steps of 10 us.
        let step = if asked >= LONG { 10_000 } else { 0 };
        Mode::Timed { least: asked, most: asked.saturating_add(step + socket.slack) }
    }

    fn ticks(&self, microseconds: u64) -> u64 {
        (microseconds * 1000).div_ceil(self.tick)
    }

    /// The settings in ticks, and by how much sending exceeds receiving.
    fn mark(&self, look: &Look) -> (u64, u64, u64) {
        let (receive, send) = (self.ticks(look.receive), self.ticks(look.send));
        (receive, send, if receive == 0 { 0 } else { send.saturating_sub(receive) })
    }

    fn mode_of_others(&self, look: &Look, sending: bool) -> Mode {
        let (receive, send, mark) = self.mark(look);
        if look.nonblocking && !matches!(mark, 29 | 30) {
            return Mode::Now;
        }
        let own = if sending { send } else { receive };
        if own == 0 {
            return Mode::Forever;
        }
        if own * self.tick >= LONGEST - self.tick {
            return Mode::Timed { least: (own - 1) * self.tick, most: u64::MAX };
        }
        if receive == 0 || send == 0 || receive == send {
            return Mode::Timed { least: own * self.tick, most: own * self.tick };
        }
        let share = if matches!(mark, 1 | 2 | 29 | 30) { receive } else { own };
        Mode::Timed { least: (share - 1) * self.tick, most: (own.max(receive) + 4) * self.tick * 9 / 8 + 100 }
    }

    /// Whether the settings are those of a mode that signals interrupt: what other code leaves of that wish is its own affair.
    pub fn shows_interruption(&self, limit: Limit, look: &Look) -> bool {
        let (receive, send, mark) = self.mark(look);
        match limit {
            Limit::Nanoseconds(_) => matches!(mark, 2 | 30) || send < receive && send == receive / 2,
            _ => receive != 0,
        }
    }

    pub fn is_interruptible(&self, socket: &Socket, look: &Look) -> bool {
        if look.settings() == socket.left { socket.interruptible } else { matches!(self.mark(look).2, 2 | 30) }
    }

    /// What a function of the library may do on descriptor `a`, as the kernel shows it. `None`: the model has
    /// nothing to say.
    pub fn predict(&self, step: &Step, look: &Look, token: Option<&Look>) -> Option<Prediction> {
        let done = |now| Some(Prediction { now, waits: None, mode: Mode::Now, interruptible: false });
        if matches!(step.verb, Verb::Strerror | Verb::Version | Verb::Deadline | Verb::Token) {
            return done(vec![success(0, 0)]);
        }
        if step.verb == Verb::Cancel {
            return done(vec![match self.socket(step.who, step.a) {
                None => error(libc::EBADF),
                Some(socket) if socket.kind == Kind::Token => success(0, 0),
                Some(_) => error(libc::EINVAL),
            }]);
        }
        let wrong = wrong_arguments(step);
        if step.verb == Verb::Recvdelim && step.n == 0.0 && wrong.is_empty() {
            return done(vec![error(libc::EMSGSIZE)]); // Nobody asks the kernel.
        }
        let bad = match self.socket(step.who, step.a) {
            None => Some(libc::EBADF),
            Some(socket) if !socket.kind.is_socket() => Some(libc::ENOTSOCK),
            Some(_) => None,
        };
        let past = if step.until.is_some_and(|seconds| seconds <= 0.0) { vec![error(libc::ETIMEDOUT)] } else { vec![] };
        if let Some(bad) = bad {
            // A short deadline may have passed before anybody looked.
            let past = if step.until.is_some_and(f64::is_finite) { vec![error(libc::ETIMEDOUT)] } else { vec![] };
            // What is waited for is looked at after the token.
            let cancelled = if step.verb == Verb::Wait { cancelled(token) } else { None };
            return done([vec![error(bad)], wrong, past, cancelled.map(error).into_iter().collect()].concat());
        }
        if !wrong.is_empty() {
            return done(wrong);
        }
        if !past.is_empty() {
            return done(past);
        }
        let socket = self.socket(step.who, step.a)?;
        let side = step.verb.sends() || step.verb == Verb::Connect;
        if step.verb == Verb::Getinterrupt && look.settings() != socket.left {
            return None; // Header and word differ on what other code leaves of it.
        }
        if step.until.is_none()
            && !matches!(step.verb, Verb::Settimeout | Verb::Setblocking | Verb::Wait)
            && is_ambiguous(socket, look)
        {
            return None;
        }
        if step.verb == Verb::Accept
            && step.until.is_some()
            && (socket.role != Role::Listener || look.settings() != socket.left)
        {
            return None; // It makes a listener of it, to those who look at its settings.
        }
        if step.verb == Verb::Connect && step.until.is_some_and(|seconds| seconds < 1.0) {
            return None; // Whether it has begun by then is anybody's guess.
        }
        let mode = match until(step) {
            _ if step.flags & DONTWAIT != 0 => Mode::Now,
            Some(mode) => mode,
            None => self.mode(socket, look, side),
        };
        // What is given a deadline never waits in the kernel.
        let kernel_mode = if step.until.is_some() { Mode::Timed { least: 1, most: 1 } } else { mode };
        let interruptible = self.is_interruptible(socket, look);
        let len = step.n as u64;
        let (now, waits) = match step.verb {
            Verb::Getblocking => (vec![Allowed { code: i64::from(mode != Mode::Now), ..success(0, 0) }], None),
            Verb::Getinterrupt => (vec![Allowed { code: interruptible.into(), ..success(0, 0) }], None),
            Verb::Wait => return Some(self.predict_wait(step, look, token, interruptible)),
            Verb::Recvdelim => self.predict_line(step, socket, len)?,
            Verb::Recvall if len == 0 => (vec![success(0, 0)], None),
            Verb::Sendall if len == 0 => (vec![success(0, 0)], None),
            Verb::Recvall => self.predict_recvall(socket, len),
            verb if verb.receives() => self.predict_receive(socket, len),
            Verb::Sendall => self.predict_send(socket, len, look, Some(kernel_mode), true),
            verb if verb.sends() => self.predict_send(socket, len, look, Some(kernel_mode), false),
            Verb::Accept => self.predict_accept(socket),
            Verb::Connect => self.predict_connect(socket, self.socket(Who::Main, step.b)?, kernel_mode)?,
            _ => (vec![success(0, 0)], None),
        };
        let (mut now, mut waits) = (now, waits);
        if step.until.is_some() && step.flags & DONTWAIT == 0 {
            // Between two steps the token is looked at.
            if let (Verb::Sendall | Verb::Recvall | Verb::Recvdelim, Some(number)) = (step.verb, cancelled(token)) {
                now.push(Allowed { most: len, ..error(number) });
            }
            // What has to wait looks at the token first.
            if let Some(((least, most), number)) = waits.zip(cancelled(token)) {
                now.push(Allowed { least, most, ..error(number) });
                waits = None;
            }
            // The deadline may have passed before anything could be tried, or between two steps.
            if mode != Mode::Forever {
                now.push(Allowed { most: len, ..error(libc::ETIMEDOUT) });
            }
        }
        Some(Prediction { now, waits, mode, interruptible })
    }

    /// A line: what is there up to its end, and what comes after that and fits.
    fn predict_line(&self, step: &Step, socket: &Socket, len: u64) -> Option<Outcomes> {
        if socket.role != Role::Connected || !socket.kind.is_stream() || is_loose(socket) {
            return None;
        }
        let id = self.slots[process(step.who)][step.a]?;
        let there = len.min(socket.written.saturating_sub(socket.read));
        let mut bytes = vec![0; there as usize];
        fill(&mut bytes, id as u64, socket.read);
        let all = |code| vec![Allowed { code, least: there, most: there }];
        if socket.broken {
            let ends = [libc::EPIPE, libc::EMSGSIZE].into_iter().chain(RESETS);
            let at = bytes.iter().position(|byte| *byte == LINE_END).map_or(0, |at| at as i64 + 1);
            let all = ends.map(error).chain([success(0, 0), Allowed { code: at, ..success(0, 0) }]);
            return Some((all.map(|end| Allowed { most: there, ..end }).collect(), Some((0, there))));
        }
        Some(match bytes.iter().position(|byte| *byte == LINE_END) {
            Some(at) => (vec![Allowed { code: at as i64 + 1, least: at as u64 + 1, most: there }], None),
            None if there == len => (all(-i64::from(libc::EMSGSIZE)), None),
            None if self.is_at_end(socket) => (all(if there == 0 { 0 } else { -i64::from(libc::EPIPE) }), None),
            None => (Vec::new(), Some((there, there))),
        })
    }

    fn predict_wait(&self, step: &Step, look: &Look, token: Option<&Look>, interruptible: bool) -> Prediction {
        let ready = look.ready & (events(step.flags) | libc::POLLERR | libc::POLLHUP);
        if let Some(number) = cancelled(token) {
            return Prediction { now: vec![error(number)], waits: None, mode: Mode::Now, interruptible };
        }
        let mode = match Limit::from_seconds(step.until.unwrap_or(step.n)) {
            Ok(Limit::Nanoseconds(limit)) => Mode::Timed { least: limit, most: limit },
            Ok(Limit::Forever) => Mode::Forever,
            _ => Mode::Now,
        };
        match ready {
            0 => Prediction { now: Vec::new(), waits: Some((0, 0)), mode, interruptible },
            ready => Prediction {
                now: vec![Allowed { code: ready.into(), ..success(0, 0) }],
                waits: None,
                mode,
                interruptible,
            },
        }
    }

    /// Nothing more comes after what is there.
    fn is_at_end(&self, socket: &Socket) -> bool {
        let ends = socket.kind.is_stream() || socket.kind == Kind::UnixSeqpacket;
        ends && (socket.no_more_reads || self.peer(socket).is_none_or(|peer| peer.no_more_writes))
    }

    fn predict_receive(&self, socket: &Socket, len: u64) -> Outcomes {
        let mut now = Vec::new();
        if matches!(socket.role, Role::Fresh | Role::Listener) {
            return (vec![error(libc::ENOTCONN), error(libc::EINVAL)], None);
        }
        let there = socket.written.saturating_sub(socket.read);
        let mut waits = None;
        if let Some((_, message)) = socket.messages.front() {
            now.push(success(len.min(*message), len.min(*message)));
        } else if there > 0 {
            let least = if is_loose(socket) { len.min(1) } else { len.min(there) };
            now.push(success(least, len.min(there)));
        } else if self.is_at_end(socket) {
            now.push(success(0, 0));
        } else {
            waits = Some((0, 0));
        }
        if socket.broken {
            now.extend(RESETS.map(error));
            now.push(success(0, 0));
            // A datagram socket may drop what it has when it loses its peer.
            if !socket.kind.is_stream() {
                waits = Some((0, 0));
            }
        }
        (now, waits)
    }

    fn predict_recvall(&self, socket: &Socket, len: u64) -> Outcomes {
        if matches!(socket.role, Role::Fresh | Role::Listener) {
            return self.predict_receive(socket, len);
        }
        let (done, end) = self.fill_all(socket, len);
        let mut now = Vec::new();
        let mut waits = None;
        if done == len {
            now.push(success(len, len));
        } else if end {
            now.push(Allowed { least: done, most: done, ..error(libc::EPIPE) });
        } else {
            waits = Some((done, done));
        }
        if is_loose(socket) {
            waits = Some((0, done));
        }
        if socket.broken {
            now.extend(RESETS.map(|reset| Allowed { most: done, ..error(reset) }));
            if !socket.kind.is_stream() {
                waits = Some((0, done));
            }
        }
        (now, waits)
    }

    /// How many bytes come, one message after the other, and whether the end comes then.
    fn fill_all(&self, socket: &Socket, len: u64) -> (u64, bool) {
        if socket.kind.is_stream() {
            return (len.min(socket.written.saturating_sub(socket.read)), self.is_at_end(socket));
        }
        let mut done = 0;
        for (_, message) in &socket.messages {
            if done == len {
                break;
            }
            if *message == 0 {
                return (done, true);
            }
            done += (len - done).min(*message);
        }
        (done, self.is_at_end(socket))
    }

    fn predict_send(&self, socket: &Socket, len: u64, look: &Look, mode: Option<Mode>, all: bool) -> Outcomes {
        let stream = socket.kind.is_stream();
        let empty = if stream && len == 0 { vec![success(0, 0)] } else { Vec::new() };
        if matches!(socket.role, Role::Fresh | Role::Listener) {
            return ([vec![error(libc::ENOTCONN), error(libc::EPIPE)], empty].concat(), None);
        }
        let closed = match self.peer(socket) {
            None => true,
            Some(peer) => socket.no_more_writes || socket.kind.is_unix() && peer.no_more_reads,
        };
        if closed || socket.broken {
            let mut now = [vec![error(libc::EPIPE)], empty].concat();
            if !stream {
                now.push(error(libc::EMSGSIZE));
            }
            if socket.broken {
                now.extend(RESETS.map(|reset| Allowed { most: len, ..error(reset) }));
            }
            if !socket.kind.is_unix() && !socket.no_more_writes {
                now.push(success(0, len));
            }
            let full = look.ready & libc::POLLOUT == 0 && !closed;
            return (now, (full || !socket.kind.is_unix()).then_some((0, len)));
        }
        let peer = self.peer(socket).expect("not closed");
        let room = look.ready & libc::POLLOUT != 0;
        if !stream {
            let mut now = Vec::new();
            let most = if socket.kind == Kind::Udp { 65_507 } else { 200_000 };
            if len > most || socket.small && len > 1000 {
                now.push(error(libc::EMSGSIZE));
            }
            if len <= most {
                now.push(success(len, len));
            }
            return (now, (!room).then_some((0, 0)));
        }
        if len == 0 {
            return (vec![success(0, 0)], None);
        }
        let waiting = peer.written.saturating_sub(peer.read);
        let fits = room && (!socket.small && waiting + len <= 4096 || len <= 1024);
        let least = if fits || mode == Some(Mode::Forever) || all { len } else { 1 };
        let part = (u64::from(room), len - 1);
        let waits = match mode {
            _ if fits => None,
            _ if all => Some(part),
            // In blocking mode all is sent, and with a timeout of weeks it may be.
            Some(mode) if mode.least() >= LONGEST - self.tick => Some((0, 0)),
            _ => (!room).then_some((0, 0)),
        };
        (vec![success(least, len)], waits)
    }

    fn predict_accept(&self, socket: &Socket) -> Outcomes {
        match socket.role {
            Role::Listener if socket.backlog.is_empty() => (Vec::new(), Some((0, 0))),
            Role::Listener => (vec![success(0, 0)], None),
            _ if matches!(socket.kind, Kind::Udp | Kind::UnixDatagram) => (vec![error(libc::EOPNOTSUPP)], None),
            _ => (vec![error(libc::EINVAL)], None),
        }
    }

    fn predict_connect(&self, socket: &Socket, listener: &Socket, mode: Mode) -> Option<Outcomes> {
        if listener.role != Role::Listener || listener.kind != socket.kind {
            return None;
        }
        let disturbed = socket.broken || socket.no_more_reads || socket.no_more_writes;
        match socket.role {
            Role::Listener => Some((vec![error(libc::EINVAL), error(libc::EISCONN)], None)),
            Role::Connected | Role::Connecting if disturbed || self.peer(socket).is_none() => None,
            // The kernel looks for room in the queue first.
            Role::Connected => {
                let full = socket.kind.is_unix() && listener.backlog.len() > BACKLOG;
                Some((vec![error(libc::EISCONN)], full.then_some((0, 0))))
            }
            Role::Connecting => {
                let codes = [libc::EALREADY, libc::EISCONN, libc::EINPROGRESS];
                Some(([vec![success(0, 0)], codes.map(error).to_vec()].concat(), None))
            }
            Role::Fresh if socket.kind == Kind::Tcp => {
                let begun = error(libc::EINPROGRESS);
                match mode {
                    _ if listener.backlog.len() >= TCP_BACKLOG => None,
                    Mode::Now => Some((vec![success(0, 0), begun], None)),
                    Mode::Timed { .. } => Some((vec![success(0, 0)], Some((0, 0)))),
                    Mode::Forever => Some((vec![success(0, 0)], None)),
                }
            }
            Role::Fresh if listener.backlog.len() > BACKLOG => Some((Vec::new(), Some((0, 0)))),
            Role::Fresh => Some((vec![success(0, 0)], None)),
        }
    }

    /// What is to be received of so many bytes, as one number.
    pub fn expected(&self, id: usize, len: u64, room: u64) -> u64 {
        let socket = &self.sockets[id];
        let mut buffer = vec![0; len as usize];
        if socket.kind.is_stream() {
            fill(&mut buffer, id as u64, socket.read);
            return hash(NO_BYTES, &buffer);
        }
        let mut done = 0;
        for (pattern, message) in &socket.messages {
            let end = len.min(done + (*message).min(room - done)) as usize;
            fill(&mut buffer[done as usize..end], *pattern, 0);
            done = end as u64;
            if done == len {
                break;
            }
        }
        hash(NO_BYTES, &buffer)
    }

    /// So many bytes were received, into room for so many, by one receive or by as many as it takes.
    pub fn received(&mut self, id: usize, len: u64, room: u64, all: bool) {
        let socket = &mut self.sockets[id];
        if socket.kind.is_stream() {
            socket.read += len;
            return;
        }
        let mut done = 0;
        while let Some((_, message)) = socket.messages.pop_front() {
            done += message.min(room - done);
            if !all || done >= len {
                return;
            }
        }
    }

    /// An empty message was taken for the end.
    pub fn end_received(&mut self, id: usize) {
        let messages = &mut self.sockets[id].messages;
        if messages.front().is_some_and(|message| message.1 == 0) {
            messages.pop_front();
        }
    }

    /// So many bytes of a pattern were sent: as a message, if the socket has such.
    pub fn sent(&mut self, id: usize, len: u64, pattern: u64) {
        let Some(peer) = self.sockets[id].peer.filter(|peer| !self.sockets[*peer].gone) else { return };
        let peer = &mut self.sockets[peer];
        if peer.kind.is_stream() {
            peer.written += len;
        } else {
            peer.messages.push_back((pattern, len));
        }
    }

    /// What the next bytes sent on a socket are made of: a pattern, and where in it.
    pub fn next_bytes(&mut self, id: usize) -> (u64, u64) {
        match self.sockets[id].peer {
            Some(peer) if self.sockets[id].kind.is_stream() => (peer as u64, self.sockets[peer].written),
            _ => {
                self.messages += 1;
                ((1 << 20) + self.messages, 0)
            }
        }
    }

    /// A process asked for a mode.
    pub fn asked(&mut self, id: usize, limit: Limit, after: &Look) {
        let socket = &mut self.sockets[id];
        (socket.limit, socket.left, socket.slack) = (limit, after.settings(), 0);
    }

    /// A process set what other code had made of the mode.
    pub fn adopted(&mut self, id: usize, mode: Mode, after: &Look) {
        let limit = match mode {
            Mode::Now => Limit::Nothing,
            Mode::Forever => Limit::Forever,
            Mode::Timed { least, .. } => Limit::Nanoseconds(least),
        };
        self.asked(id, limit, after);
        if let Mode::Timed { least, most } = mode {
            self.sockets[id].slack = most - least;
        }
    }

    /// A connection begins, and waits in the listener's queue.
    pub fn connected(&mut self, id: usize, listener: usize, role: Role) {
        let end = self.add(self.sockets[id].kind, Role::Connected);
        self.sockets[end].peer = Some(id);
        self.sockets[id].peer = Some(end);
        self.sockets[id].role = role;
        self.sockets[listener].backlog.push_back(end);
    }
}

/// What TCP has of so much may still be under way.
pub fn is_loose(socket: &Socket) -> bool {
    socket.kind == Kind::Tcp && socket.written.saturating_sub(socket.read) > SETTLED
}

/// So much TCP delivers at once.
pub const SETTLED: u64 = 16_384;

/// What may come of a peer that is gone.
const RESETS: [i32; 4] = [libc::ECONNRESET, libc::EPIPE, libc::ECONNREFUSED, libc::ENOTCONN];

pub fn events(flags: u32) -> i16 {
    let input = if flags & IN != 0 { libc::POLLIN } else { 0 };
    input | if flags & OUT != 0 { libc::POLLOUT } else { 0 }
}

/// What a call is refused for, whatever the socket.
fn wrong_arguments(step: &Step) -> Vec<Allowed> {
    let Step { verb, n, flags, .. } = *step;
    let mut wrong = Vec::new();
    if verb.sends() || verb.receives() {
        let message = matches!(verb, Verb::Sendmsg | Verb::Recvmsg);
        if flags & NULL != 0 && (n > 0.0 || flags & HUGE != 0 || message) || message && flags & HUGE != 0 {
            wrong.push(error(libc::EFAULT));
        }
        if flags & HUGE != 0 && !message || verb == Verb::Recvall && flags & PEEK != 0 {
            wrong.push(error(libc::EINVAL));
        }
    }
    if verb == Verb::Gettimeout && flags & NULL != 0 {
        wrong.push(error(libc::EFAULT));
    }
    if step.until.is_some_and(f64::is_nan) || step.token == Some(step.a) {
        wrong.push(error(libc::EINVAL));
    }
    if step.until.is_some_and(|seconds| seconds > 9e9 && seconds != f64::INFINITY) {
        wrong.push(error(libc::EOVERFLOW));
    }
    let limited = verb == Verb::Settimeout || verb == Verb::Wait && step.until.is_none();
    if let (true, Err(code)) = (limited, Limit::from_seconds(n)) {
        wrong.push(Allowed { code, least: 0, most: 0 });
    }
    wrong
}

/// For how long what is given a deadline may wait.
fn until(step: &Step) -> Option<Mode> {
    step.until.map(|seconds| match Limit::from_seconds(seconds) {
        Ok(Limit::Nanoseconds(limit)) => Mode::Timed { least: limit, most: limit },
        Ok(Limit::Forever) => Mode::Forever,
        _ => Mode::Now,
    })
}

/// What a wait is told that looks at this token.
fn cancelled(token: Option<&Look>) -> Option<i32> {
    match token?.ready & !libc::POLLOUT {
        0 => None,
        ready if ready & libc::POLLNVAL != 0 => Some(libc::EBADF),
        _ => Some(libc::ECANCELED),
    }
}

/// A polled timeout whose other one was changed by other code: it is no mode, and its word still tells one.
/// Or a timeout of other code that is too short to tell waiting from the non-blocking mode of the word.
fn is_ambiguous(socket: &Socket, look: &Look) -> bool {
    if socket.limit == Limit::Nothing && !look.nonblocking && look.receive.max(look.send) > 0 {
        return true;
    }
    // The word tells more than the other timeout.
    let tells = socket.interruptible || matches!(socket.limit, Limit::Nanoseconds(_));
    if look.settings() != socket.left && tells && look.receive == socket.left.1 {
        return true;
    }
    look.settings() != socket.left && look.nonblocking && look.receive != 0 && look.receive == socket.left.1
}
