//! Questions to the one socket of an exploration. But for the flag, nobody changes what they ask for.

use std::ffi::c_int;
use std::os::fd::BorrowedFd;

use crate::errno::{Errno, Result};
use crate::explore::{Call, Kind, Setting, call, kind};

pub fn is_nonblocking(_: BorrowedFd) -> Result<bool> {
    call(Call::Get(Setting::Flag)).map(|flag| flag != 0)
}

pub fn domain(_: BorrowedFd) -> Result<c_int> {
    Ok(if kind() == Kind::Unix { libc::AF_UNIX } else { libc::AF_INET })
}

pub fn is_stream(_: BorrowedFd) -> Result<bool> {
    Ok(kind() != Kind::Udp)
}

pub fn is_tcp(_: BorrowedFd) -> Result<bool> {
    Ok(matches!(kind(), Kind::Tcp | Kind::Listener | Kind::OldTcp | Kind::Tls))
}

pub fn is_listener(_: BorrowedFd) -> Result<bool> {
    Ok(kind() == Kind::Listener)
}

pub fn lacks_port(_: BorrowedFd) -> bool {
    false
}

pub fn is_connected(_: BorrowedFd) -> Result<bool> {
    Ok(false)
}

pub fn take_error(_: BorrowedFd) -> Result<Option<Errno>> {
    Ok(None)
}
