//! Connecting to whichever address of a host answers first: Happy Eyeballs, RFC 8305.

use std::os::fd::{AsFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd};
use std::{iter, mem};

use libc::{addrinfo, pollfd};

use crate::errno::{Errno, Result};
use crate::lookup::Addresses;
use crate::time::{self, Limit, now};
use crate::{mode, options, sys};

/// For how many nanoseconds an address is tried alone before the next is tried beside it; less where
/// that would keep some from having their turn in the first half of the time, down to the least.
const ALONE: u64 = 250_000_000;
const ALONE_AT_LEAST: u64 = 10_000_000;

/// Attempts at once. Of more addresses, the next is tried when one of these has failed.
const ATTEMPTS: usize = 128;

/// Connects to one of the addresses by the deadline, which is that of `limit`, the connection's mode.
pub fn connect_to_any(addresses: &Addresses, limit: Limit, deadline: Option<u64>) -> Result<OwnedFd> {
    let alone = alone(addresses.iter().count(), deadline);
    let mut candidates = interleaved(addresses).peekable();
    let mut attempts = Attempts::none();
    let mut next_turn = 0;
    let mut failure = None;
    loop {
        if let Some(address) = candidates.peek().filter(|_| attempts.have_room() && now() >= next_turn) {
            match attempts.begin(address) {
                Ok(()) => next_turn = now() + alone,
                // Its turn comes when one of these has ended.
                Err(error) if lacks_resources(error) && attempts.count > 0 => {
                    attempts.room = attempts.count;
                    continue;
                }
                Err(error) => note(&mut failure, error),
            }
            candidates.next();
            continue;
        }
        if let (0, Some(error)) = (attempts.count, failure) {
            return Err(error);
        }
        let turn = candidates.peek().filter(|_| attempts.have_room()).map(|_| next_turn);
        let ended = attempts.wait(deadline.into_iter().chain(turn).min())?;
        if !ended && deadline.is_some_and(|deadline| now() >= deadline) {
            return Err(if limit == Limit::Nothing { Errno::AGAIN } else { Errno::TIMEDOUT });
        }
        while let Some(socket) = attempts.take_ended() {
            match outcome(socket.as_fd()) {
                Ok(()) => return mode::set(socket.as_fd(), limit).map(|()| socket),
                Err(error) => note(&mut failure, error),
            }
            next_turn = 0;
        }
    }
}

fn alone(addresses: usize, deadline: Option<u64>) -> u64 {
    let others = addresses.saturating_sub(1) as u64;
    let half = deadline.map_or(u64::MAX, |deadline| deadline.saturating_sub(now()) / 2);
    half.checked_div(others).map_or(ALONE, |turn| turn.clamp(ALONE_AT_LEAST, ALONE))
}

/// The addresses in the order of preference, but of two families in turn.
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
fn note(failure: &mut Option<Errno>, error: Errno) {
    if failure.is_none_or(|before| how_telling(before) < how_telling(error)) {
        *failure = Some(error);
    }
}

/// What stood in the way before an attempt could be made, then who was nearest to the host.
fn how_telling(error: Errno) -> u32 {
    match error.code() {
        _ if lacks_resources(error) => 6,
        libc::ECONNREFUSED => 5,
        libc::ECONNRESET => 4,
        libc::EACCES | libc::EPERM => 3,
        libc::ETIMEDOUT => 2,
        libc::EHOSTUNREACH | libc::EHOSTDOWN => 1,
        _ => 0,
    }
}

fn lacks_resources(error: Errno) -> bool {
    matches!(error.code(), libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
}

/// How an attempt that is over ended.
fn outcome(socket: BorrowedFd) -> Result<()> {
    if let Some(error) = options::take_error(socket)? {
        return Err(error);
    }
    // An attempt at a port of this machine that nobody listens on may have been given that very port
    // for its own, and then TCP connects it to itself.
    if options::is_connected_to_itself(socket)? { Err(Errno::CONNREFUSED) } else { Ok(()) }
}

/// The attempts under way: the first `count` of the entries, as `ppoll` takes them.
struct Attempts {
    entries: [pollfd; ATTEMPTS],
    count: usize,
    /// At how many there are no more: fewer than entries when descriptors or memory ran out.
    room: usize,
}

impl Attempts {
    fn none() -> Attempts {
        Attempts { entries: [pollfd { fd: -1, events: 0, revents: 0 }; ATTEMPTS], count: 0, room: ATTEMPTS }
    }

    fn have_room(&self) -> bool {
        self.count < self.room
    }

    fn under_way(&mut self) -> &mut [pollfd] {
        self.entries.get_mut(..self.count).unwrap_or_default()
    }

    fn begin(&mut self, address: &addrinfo) -> Result<()> {
        let socket = sys::socket(address.ai_family, address.ai_socktype | libc::SOCK_NONBLOCK, address.ai_protocol)?;
        match sys::connect(socket.as_fd(), address.ai_addr, address.ai_addrlen) {
            Ok(()) | Err(Errno::INPROGRESS) => {}
            Err(error) => return Err(error),
        }
        if let Some(free) = self.entries.get_mut(self.count) {
            *free = pollfd { fd: socket.into_raw_fd(), events: libc::POLLOUT, revents: 0 };
            self.count += 1;
        }
        Ok(())
    }

    /// Whether any has ended by then.
    fn wait(&mut self, until: Option<u64>) -> Result<bool> {
        match sys::poll_all(self.under_way(), until.map(time::until).transpose()?) {
            Err(Errno::INTR) => Ok(false),
            ended => Ok(ended? > 0),
        }
    }

    /// One that had ended when last looked, and is the caller's now.
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
