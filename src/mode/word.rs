//! The mode word: the part of a mode that the two timeouts and `O_NONBLOCK` cannot hold.
//!
//! It lives in the socket's `SO_PEEK_OFF`. To the kernel every negative number there means "off". The kernel keeps the
//! number as it was given, with the socket and for every process that has it. A new socket has -1, and a word is any
//! number below. Numbers of 0 and more belong to other code.
//!
//! Some sockets have no such option: TCP before Linux 6.9, MPTCP, and other kinds whose timeouts are polled. Their
//! words are in a table of the process: see [`table`].

use std::os::fd::BorrowedFd;

use libc::c_int;

use super::table;
use crate::errno::Result;
use crate::linux;

/// What kind of mode a word is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// A timeout with a share for the kernel to wait, as TCP has it.
    Tcp,
    /// The same, as Unix sockets have it.
    Unix,
    /// A timeout without a share: the kernel does not wait.
    Polled,
    Blocking,
    NonBlocking,
}

impl Form {
    pub fn is_timeout(self) -> bool {
        !matches!(self, Form::Blocking | Form::NonBlocking)
    }

    /// Whether it is a timeout with a share.
    pub fn has_share(self) -> bool {
        matches!(self, Form::Tcp | Form::Unix)
    }
}

/// The parts of a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Word {
    pub form: Form,
    /// A signal ends a wait with `EINTR`.
    pub interruptible: bool,
    /// The nanoseconds by which the timeout is longer than the shortest timeout with the same ticks.
    pub rest: u32,
    /// A hash of the ticks that belong to the word. If it does not agree with the ticks of the socket, these are torn, or
    /// other code's.
    check: u32,
}

const REST_BITS: u32 = 24;
const CHECK_BITS: u32 = 4;
const INTERRUPTIBLE_BIT: u32 = REST_BITS + CHECK_BITS;
const FORM_BIT: u32 = INTERRUPTIBLE_BIT + 1;

/// The highest number that is a word. The bits of a word count down from it.
const FIRST: c_int = -2;

impl Word {
    pub fn new(form: Form, interruptible: bool, ticks: u64, rest: u64) -> Word {
        let rest = match form {
            Form::Tcp | Form::Unix | Form::Polled => rest as u32 & mask(REST_BITS),
            // These two share a number of the form, and the rest tells them apart.
            Form::Blocking => 0,
            Form::NonBlocking => 1,
        };
        Word { form, interruptible, rest, check: check(ticks) }
    }

    pub fn with_longest_rest(self) -> Word {
        Word { rest: mask(REST_BITS), ..self }
    }

    /// Whether the word can belong to these ticks: four bits of a hash say so.
    pub fn agrees_with(self, ticks: u64) -> bool {
        self.check == check(ticks)
    }

    fn to_number(self) -> c_int {
        let form = match self.form {
            Form::Tcp => 0,
            Form::Unix => 1,
            Form::Polled => 2,
            Form::Blocking | Form::NonBlocking => 3,
        };
        let flag = u32::from(self.interruptible) << INTERRUPTIBLE_BIT;
        let bits = form << FORM_BIT | flag | self.check << REST_BITS | self.rest;
        FIRST.wrapping_sub(bits as c_int)
    }

    fn from_number(number: c_int) -> Option<Word> {
        if number > FIRST {
            return None;
        }
        let bits = FIRST.wrapping_sub(number) as u32;
        let rest = bits & mask(REST_BITS);
        let form = match bits >> FORM_BIT {
            0 => Form::Tcp,
            1 => Form::Unix,
            2 => Form::Polled,
            _ if rest == 0 => Form::Blocking,
            _ => Form::NonBlocking,
        };
        let check = bits >> REST_BITS & mask(CHECK_BITS);
        Some(Word { form, interruptible: bits >> INTERRUPTIBLE_BIT & 1 != 0, rest, check })
    }
}

fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

fn check(ticks: u64) -> u32 {
    (ticks.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (u64::BITS - CHECK_BITS)) as u32
}

/// The place where the word of a socket is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Home {
    /// In the socket: every process that has the socket sees the word.
    Socket,
    /// In the table of this process, by the socket's cookie.
    Table,
    Nowhere,
}

/// The word that the socket holds, if it can hold one.
pub fn in_socket(socket: BorrowedFd) -> Option<Option<Word>> {
    match linux::peek_offset(socket) {
        Ok(number @ ..0) => Some(Word::from_number(number)),
        _ => None,
    }
}

/// The word that the table holds for the socket.
pub fn in_table(socket: BorrowedFd) -> Option<Word> {
    table::get(linux::cookie(socket)?).and_then(Word::from_number)
}

/// Reads the word of a socket, and gives the place where it is kept.
pub fn read(socket: BorrowedFd) -> (Home, Option<Word>) {
    match in_socket(socket) {
        Some(word) => (Home::Socket, word),
        None => (Home::Table, in_table(socket)),
    }
}

/// Writes the word, or "no word", to the place that [`read`] found.
pub fn write(socket: BorrowedFd, home: Home, word: Option<Word>) -> Result<()> {
    let number = word.map_or(FIRST + 1, Word::to_number);
    match home {
        Home::Socket => return linux::set_peek_offset(socket, number),
        Home::Table => _ = linux::cookie(socket).map(|cookie| table::set(cookie, number)),
        Home::Nowhere => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_socket() {
        for form in [Form::Tcp, Form::Unix, Form::Polled] {
            for interruptible in [false, true] {
                for rest in [0, 1, 11_250_008, (1 << REST_BITS) - 1] {
                    for ticks in [0, 1, 7, 25, 1 << 29] {
                        let word = Word::new(form, interruptible, ticks, rest);
                        assert!(word.to_number() < -1);
                        assert_eq!(Word::from_number(word.to_number()), Some(word));
                        assert!(word.agrees_with(ticks));
                    }
                }
            }
        }
        for form in [Form::Blocking, Form::NonBlocking] {
            let word = Word::from_number(Word::new(form, true, 5, 0).to_number());
            assert!(word.is_some_and(|word| word.form == form && word.interruptible && word.agrees_with(5)));
        }
    }

    #[test]
    fn every_number_is_a_word_or_none() {
        for number in [c_int::MAX, 1, 0, -1] {
            assert_eq!(Word::from_number(number), None);
        }
        for number in [-2, -3, -1_000_000_007, c_int::MIN + 1, c_int::MIN] {
            assert!(Word::from_number(number).is_some());
        }
    }
}
