//! Connecting to the address of a host that answers first: Happy Eyeballs, RFC 8305.

use std::os::fd::{BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::{iter, mem};

use libc::{addrinfo, pollfd};

use super::address::Address;
use super::lookup::{self, Addresses};
use super::target::Target;
use crate::errno::{Errno, Result};
use crate::time::{Timeout, now};
use crate::wait::{NO_ENTRY, Until};
use crate::{mode, options, sys};

/// The Connection Attempt Delay of RFC 8305, in nanoseconds: how long the next attempt waits for the one before. With many
/// addresses it is shorter, so that all of them have their turn in the first half of the time, but never below the least.
const ATTEMPT_DELAY: u64 = 250_000_000;
const LEAST_ATTEMPT_DELAY: u64 = 10_000_000;

/// The most attempts at the same time. If there are more addresses, the next is tried when one of these has failed.
const ATTEMPTS: usize = 128;

/// How long to sleep, in nanoseconds, before a Unix listener with a full queue is tried again: the kernel does not report
/// that there is room.
const NAP: u64 = 1_000_000;

/// Connects, and leaves the connection in the mode of `timeout`.
pub fn dial(target: &Target, until: Until, timeout: Timeout) -> Result<OwnedFd> {
    let socket = match target {
        Target::Unix(address) => connect_to_unix(address, until)?,
        Target::Internet(None, _) => return Err(Errno::INVAL),
        Target::Internet(Some(host), service) => connect_to_any(&lookup::resolve_remote(host, service, until)?, until)?,
    };
    match timeout {
        // It was made for this, and has no mode yet but the flag.
        Timeout::Forever => sys::set_nonblocking(sys::lend(&socket), false)?,
        _ => mode::set(sys::lend(&socket), timeout)?,
    }
    Ok(socket)
}

fn connect_to_unix(address: &Address, until: Until) -> Result<OwnedFd> {
    let flags = if until.is_endless() { 0 } else { libc::SOCK_NONBLOCK };
    let socket = sys::socket(libc::AF_UNIX, libc::SOCK_STREAM | flags, 0)?;
    loop {
        match sys::connect(sys::lend(&socket), address.as_ptr(), address.len()) {
            Err(Errno::AGAIN) => match until.sleep(NAP) {
                Ok(()) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            Err(Errno::INTR) => {}
            outcome => return outcome.map(|()| socket),
        }
    }
}

/// Connects to one of the addresses.
fn connect_to_any(addresses: &Addresses, until: Until) -> Result<OwnedFd> {
    let delay = attempt_delay(addresses.iter().count(), until.deadline);
    let mut candidates = interleaved(addresses).peekable();
    let mut attempts = Attempts::none();
    let mut next_turn = 0;
    let mut failure = None;
    loop {
        if let Some(address) = candidates.peek().filter(|_| attempts.have_room() && now() >= next_turn) {
            match attempts.begin(address) {
                Ok(None) => next_turn = now().saturating_add(delay),
                Ok(Some(socket)) => match outcome(sys::lend(&socket)) {
                    Ok(()) => return Ok(socket),
                    Err(error) => keep_best(&mut failure, error),
                },
                // This address is tried when one of the attempts has ended.
                Err(error) if error.lacks_resources() && attempts.count > 0 => {
                    attempts.room = attempts.count;
                    continue;
                }
                Err(error) => keep_best(&mut failure, error),
            }
            candidates.next();
            continue;
        }
        if let (0, Some(error)) = (attempts.count, failure) {
            return Err(error);
        }
        let turn = candidates.peek().filter(|_| attempts.have_room()).map(|_| next_turn);
        attempts.wait(until, turn)?;
        while let Some(socket) = attempts.take_ended() {
            match outcome(sys::lend(&socket)) {
                Ok(()) => return Ok(socket),
                Err(error) => keep_best(&mut failure, error),
            }
            next_turn = 0;
        }
    }
}

fn attempt_delay(addresses: usize, deadline: Option<u64>) -> u64 {
    let others = addresses.saturating_sub(1) as u64;
    let half = deadline.map_or(u64::MAX, |deadline| deadline.saturating_sub(now()) / 2);
    half.checked_div(others).map_or(ATTEMPT_DELAY, |turn| turn.clamp(LEAST_ATTEMPT_DELAY, ATTEMPT_DELAY))
}

/// The addresses in the order of preference, but with the two families in turn.
fn interleaved(addresses: &Addresses) -> impl Iterator<Item = &addrinfo> {
    let preferred = addresses.iter().next().map_or(libc::AF_UNSPEC, |first| first.ai_family);
    let mut turn = addresses.iter().filter(move |address| address.ai_family == preferred);
    let mut rest = addresses.iter().filter(move |address| address.ai_family != preferred);
    let mut of_preferred = false;
    iter::from_fn(move || {
        of_preferred = !of_preferred;
        if of_preferred { turn.next().or_else(|| rest.next()) } else { rest.next().or_else(|| turn.next()) }
    })
}

/// Keeps the most telling of the errors, and of equals the first.
fn keep_best(failure: &mut Option<Errno>, error: Errno) {
    if failure.is_none_or(|before| how_telling(before) < how_telling(error)) {
        *failure = Some(error);
    }
}

/// First come errors that prevented an attempt, then errors from the host, then errors from the network on the way to it.
fn how_telling(error: Errno) -> u32 {
    match error.code() {
        _ if error.lacks_resources() => 6,
        libc::ECONNREFUSED => 5,
        libc::ECONNRESET => 4,
        libc::EACCES | libc::EPERM => 3,
        libc::ETIMEDOUT => 2,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => 1,
        _ => 0,
    }
}

/// The outcome of an attempt that has ended.
fn outcome(socket: BorrowedFd) -> Result<()> {
    if let Some(error) = options::take_error(socket)? {
        return Err(error);
    }
    match options::is_connected_to_itself(socket) {
        Ok(false) => Ok(()),
        // The address may be a port of this machine on which nobody listens. If the kernel chose that very port for
        // this socket, TCP connected it to itself.
        Ok(true) => Err(Errno::CONNREFUSED),
        // The peer has reset the connection already.
        Err(Errno::NOTCONN) => Err(options::take_error(socket)?.unwrap_or(Errno::CONNRESET)),
        Err(error) => Err(error),
    }
}

/// The attempts under way, as entries for `ppoll`. The first entry is for the token, and `count` entries follow it.
struct Attempts {
    entries: [pollfd; ATTEMPTS + 1],
    count: usize,
    /// The most attempts: fewer than there are entries once descriptors or memory have run out.
    room: usize,
}

impl Attempts {
    fn none() -> Attempts {
        Attempts { entries: [NO_ENTRY; ATTEMPTS + 1], count: 0, room: ATTEMPTS }
    }

    fn have_room(&self) -> bool {
        self.count < self.room
    }

    fn under_way(&mut self) -> &mut [pollfd] {
        self.entries.get_mut(1..=self.count).unwrap_or_default()
    }

    /// Begins an attempt. A socket that is connected at once, such as one of UDP, is returned.
    fn begin(&mut self, address: &addrinfo) -> Result<Option<OwnedFd>> {
        let socket = sys::socket(address.ai_family, address.ai_socktype | libc::SOCK_NONBLOCK, address.ai_protocol)?;
        match sys::connect(sys::lend(&socket), address.ai_addr, address.ai_addrlen) {
            Ok(()) => return Ok(Some(socket)),
            Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error),
        }
        self.count += 1;
        if let Some(free) = self.under_way().last_mut() {
            *free = pollfd { fd: socket.into_raw_fd(), events: libc::POLLOUT, revents: 0 };
        }
        Ok(None)
    }

    fn wait(&mut self, until: Until, turn: Option<u64>) -> Result<bool> {
        match until.wait(self.entries.get_mut(..=self.count).unwrap_or_default(), turn) {
            Err(Errno::INTR) => Ok(false), // Time and again, until the deadline.
            ended => ended,
        }
    }

    /// Takes an attempt out that the last wait found ended. Its socket is the caller's now.
    fn take_ended(&mut self) -> Option<OwnedFd> {
        let ended = self.under_way().iter().position(|attempt| attempt.revents != 0)?;
        self.take(ended)
    }

    fn take(&mut self, index: usize) -> Option<OwnedFd> {
        let (last, rest) = self.under_way().split_last_mut()?;
        let taken = match rest.get_mut(index) {
            Some(attempt) => mem::replace(attempt, *last),
            None => *last,
        };
        self.count -= 1;
        // SAFETY: the descriptor is one that `begin` gave to the attempt alone.
        if taken.fd < 0 { None } else { Some(unsafe { OwnedFd::from_raw_fd(taken.fd) }) }
    }
}

impl Drop for Attempts {
    fn drop(&mut self) {
        while self.take(0).is_some() {}
    }
}
