//! Steps, and their readable form: a line each, `[after MS] [thread|worker] VERB ARGUMENTS`.

use std::fmt::{self, Display, Formatter};

/// Descriptors are letters, and a letter is always the same number.
pub const SLOTS: usize = 8;

/// Who performs a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Main,
    /// Another thread of the same process.
    Thread,
    /// Another process.
    Worker,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    UnixStream,
    UnixDatagram,
    UnixSeqpacket,
    Tcp,
    Udp,
    /// Not sockets, and what a wait may be cancelled by.
    Pipe,
    Event,
    Token,
}

const KINDS: [(Kind, &str); 8] = [
    (Kind::UnixStream, "unix-stream"),
    (Kind::UnixDatagram, "unix-datagram"),
    (Kind::UnixSeqpacket, "unix-seqpacket"),
    (Kind::Tcp, "tcp"),
    (Kind::Udp, "udp"),
    (Kind::Pipe, "pipe"),
    (Kind::Event, "event"),
    (Kind::Token, "token"),
];

impl Kind {
    pub fn is_stream(self) -> bool {
        matches!(self, Kind::UnixStream | Kind::Tcp)
    }

    pub fn is_socket(self) -> bool {
        !matches!(self, Kind::Pipe | Kind::Event | Kind::Token)
    }

    pub fn is_unix(self) -> bool {
        matches!(self, Kind::UnixStream | Kind::UnixDatagram | Kind::UnixSeqpacket)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Pair,
    Listen,
    Socket,
    Collide,
    Dup,
    Close,
    Share,
    Fork,
    Nonblock,
    Rcvtimeo,
    Sndtimeo,
    Sndbuf,
    Shutdown,
    Feed,
    Drain,
    Signals,
    Event,
    Fire,
    Handle,
    Setblocking,
    Getblocking,
    Settimeout,
    Gettimeout,
    Setinterrupt,
    Getinterrupt,
    Send,
    Recv,
    Sendto,
    Recvfrom,
    Sendmsg,
    Recvmsg,
    Sendall,
    Recvall,
    Recvdelim,
    Connect,
    Accept,
    Wait,
    Deadline,
    Token,
    Cancel,
    Strerror,
    Version,
}

/// All steps there are, with their arguments: `k` a kind, `a`, `b` and `c` descriptors, `n` a number, `f` flags, `u` a
/// deadline and a token, which make it the function that takes them: `until SECONDS by DESCRIPTOR`, of which either may miss.
/// From `setblocking` on they are the functions of the library; before, what other code does.
pub const VERBS: [(Verb, &str, &str); 42] = [
    (Verb::Pair, "pair", "kab"),
    (Verb::Listen, "listen", "ka"),
    (Verb::Socket, "socket", "ka"),
    // A pair whose first end has the place in the library's table that another socket has.
    (Verb::Collide, "collide", "abc"),
    (Verb::Dup, "dup", "ab"),
    (Verb::Close, "close", "a"),
    // Sends the descriptor to the worker.
    (Verb::Share, "share", "a"),
    // Makes a new worker, which inherits all descriptors.
    (Verb::Fork, "fork", ""),
    (Verb::Nonblock, "nonblock", "an"),
    (Verb::Rcvtimeo, "rcvtimeo", "an"),
    (Verb::Sndtimeo, "sndtimeo", "an"),
    (Verb::Sndbuf, "sndbuf", "an"),
    (Verb::Shutdown, "shutdown", "an"),
    // Sends so many bytes, in parts, and receives whatever comes, for as long as the next call takes.
    (Verb::Feed, "feed", "an"),
    (Verb::Drain, "drain", "a"),
    (Verb::Signals, "signals", "n"),
    // An eventfd, and what makes it readable, or the other end of a pipe.
    (Verb::Event, "event", "a"),
    (Verb::Fire, "fire", "a"),
    // A signal for the main thread, whose handler cancels.
    (Verb::Handle, "handle", "a"),
    (Verb::Setblocking, "setblocking", "an"),
    (Verb::Getblocking, "getblocking", "a"),
    (Verb::Settimeout, "settimeout", "an"),
    (Verb::Gettimeout, "gettimeout", "af"),
    (Verb::Setinterrupt, "setinterrupt", "an"),
    (Verb::Getinterrupt, "getinterrupt", "a"),
    (Verb::Send, "send", "anfu"),
    (Verb::Recv, "recv", "anfu"),
    (Verb::Sendto, "sendto", "anfu"),
    (Verb::Recvfrom, "recvfrom", "anfu"),
    (Verb::Sendmsg, "sendmsg", "anfu"),
    (Verb::Recvmsg, "recvmsg", "anfu"),
    (Verb::Sendall, "sendall", "anfu"),
    (Verb::Recvall, "recvall", "anfu"),
    (Verb::Recvdelim, "recvdelim", "anu"),
    (Verb::Connect, "connect", "abu"),
    (Verb::Accept, "accept", "abu"),
    (Verb::Wait, "wait", "afnu"),
    (Verb::Deadline, "deadline", "n"),
    (Verb::Token, "token", "a"),
    (Verb::Cancel, "cancel", "a"),
    (Verb::Strerror, "strerror", "n"),
    (Verb::Version, "version", ""),
];

impl Verb {
    pub fn name(self) -> &'static str {
        VERBS[self as usize].1
    }

    pub fn signature(self) -> &'static str {
        VERBS[self as usize].2
    }

    /// A function of the library, and not what other code does.
    pub fn is_ours(self) -> bool {
        self as usize >= Verb::Setblocking as usize
    }

    pub fn sends(self) -> bool {
        matches!(self, Verb::Send | Verb::Sendto | Verb::Sendmsg | Verb::Sendall)
    }

    pub fn receives(self) -> bool {
        matches!(self, Verb::Recv | Verb::Recvfrom | Verb::Recvmsg | Verb::Recvall | Verb::Recvdelim)
    }

    pub fn sets_mode(self) -> bool {
        matches!(self, Verb::Setblocking | Verb::Settimeout | Verb::Setinterrupt)
    }
}

pub const DONTWAIT: u32 = 1;
pub const PEEK: u32 = 2;
/// NULL in place of the buffer, or of what a value is put in.
pub const NULL: u32 = 4;
/// A length over `SSIZE_MAX`.
pub const HUGE: u32 = 8;
/// `POLLIN` and `POLLOUT`.
pub const IN: u32 = 16;
pub const OUT: u32 = 32;
const FLAGS: [(u32, &str); 6] =
    [(DONTWAIT, "dontwait"), (PEEK, "peek"), (NULL, "null"), (HUGE, "huge"), (IN, "in"), (OUT, "out")];

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Milliseconds into the next call of the main thread.
    pub after: Option<u32>,
    pub who: Who,
    pub verb: Verb,
    pub kind: Kind,
    pub a: usize,
    pub b: usize,
    pub c: usize,
    pub n: f64,
    pub flags: u32,
    /// The seconds to the deadline, and the descriptor that cancels.
    pub until: Option<f64>,
    pub token: Option<usize>,
}

impl Step {
    pub fn new(verb: Verb) -> Step {
        let (after, who, kind) = (None, Who::Main, Kind::UnixStream);
        Step { after, who, verb, kind, a: 0, b: 0, c: 0, n: 0.0, flags: 0, until: None, token: None }
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        if let Some(after) = self.after {
            write!(f, "after {after} ")?;
        }
        match self.who {
            Who::Main => {}
            Who::Thread => write!(f, "thread ")?,
            Who::Worker => write!(f, "worker ")?,
        }
        write!(f, "{}", self.verb.name())?;
        let slot = |slot: usize| (b'a' + slot as u8) as char;
        for argument in self.verb.signature().chars() {
            match argument {
                'k' => write!(f, " {}", KINDS[self.kind as usize].1)?,
                'a' => write!(f, " {}", slot(self.a))?,
                'b' => write!(f, " {}", slot(self.b))?,
                'c' => write!(f, " {}", slot(self.c))?,
                'n' => write!(f, " {}", self.n)?,
                'u' => {
                    if let Some(until) = self.until {
                        write!(f, " until {until}")?;
                    }
                    if let Some(token) = self.token {
                        write!(f, " by {}", slot(token))?;
                    }
                }
                _ => FLAGS
                    .iter()
                    .filter(|(bit, _)| self.flags & bit != 0)
                    .try_for_each(|(_, name)| write!(f, " {name}"))?,
            }
        }
        Ok(())
    }
}

/// Reads a line; `None` for a blank one. What follows a `#` is a comment.
pub fn parse(line: &str) -> Result<Option<Step>, String> {
    let wrong = |what: &str| format!("{what} in the step: {line}");
    let mut words = line.split('#').next().unwrap_or("").split_whitespace().peekable();
    if words.peek().is_none() {
        return Ok(None);
    }
    let mut after = None;
    if words.next_if_eq(&"after").is_some() {
        after = Some(words.next().and_then(|word| word.parse().ok()).ok_or_else(|| wrong("no time"))?);
    }
    let who = match words.peek() {
        Some(&"thread") => Who::Thread,
        Some(&"worker") => Who::Worker,
        _ => Who::Main,
    };
    if who != Who::Main {
        words.next();
    }
    let name = words.next().ok_or_else(|| wrong("no verb"))?;
    let (verb, _, signature) =
        VERBS.iter().find(|(_, known, _)| *known == name).ok_or_else(|| wrong("no such verb"))?;
    let mut step = Step { after, who, ..Step::new(*verb) };
    for argument in signature.chars() {
        if argument == 'f' {
            while let Some((bit, _)) = words.peek().and_then(|word| FLAGS.iter().find(|(_, name)| name == word)) {
                step.flags |= bit;
                words.next();
            }
            continue;
        }
        let slot_of = |word: &str| match word.as_bytes() {
            [letter] if (b'a'..b'a' + SLOTS as u8).contains(letter) => Ok((letter - b'a') as usize),
            _ => Err(wrong("no such descriptor")),
        };
        if argument == 'u' {
            if words.next_if_eq(&"until").is_some() {
                step.until = Some(words.next().and_then(|word| word.parse().ok()).ok_or_else(|| wrong("no deadline"))?);
            }
            if words.next_if_eq(&"by").is_some() {
                step.token = Some(slot_of(words.next().unwrap_or(""))?);
                step.until = step.until.or(Some(f64::INFINITY));
            }
            continue;
        }
        let word = words.next().ok_or_else(|| wrong("an argument is missing"))?;
        let slot = || slot_of(word);
        match argument {
            'k' => step.kind = KINDS.iter().find(|(_, name)| *name == word).ok_or_else(|| wrong("no such kind"))?.0,
            'a' => step.a = slot()?,
            'b' => step.b = slot()?,
            'c' => step.c = slot()?,
            _ => step.n = word.parse().map_err(|_| wrong("no number"))?,
        }
    }
    match words.next() {
        None => Ok(Some(step)),
        Some(_) => Err(wrong("too many arguments")),
    }
}
