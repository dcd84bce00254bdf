//! `TcpStream` for the harness. A stream is no more than its descriptor, which is what C is given.

use std::io::{Error, Read, Result, Write};
use std::mem::ManuallyDrop;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{FromRawFd, IntoRawFd};
use std::os::raw::c_int;
use std::slice;
use std::time::Duration;

const EIO: c_int = 5;
const EAGAIN: c_int = 11;
const ETIMEDOUT: c_int = 110;

fn stream(fd: c_int) -> ManuallyDrop<TcpStream> {
    // SAFETY: the harness has it open, and keeps it.
    ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(fd) })
}

fn failure(error: Error) -> c_int {
    match error.raw_os_error() {
        Some(EAGAIN) => -ETIMEDOUT,
        Some(code) => -code,
        None => -EIO,
    }
}

fn code(result: Result<()>) -> c_int {
    result.map_or_else(failure, |()| 0)
}

fn count(result: Result<usize>) -> isize {
    result.map_or_else(|error| failure(error) as isize, |count| count as isize)
}

#[unsafe(no_mangle)]
pub extern "C" fn std_settimeout(fd: c_int, seconds: f64) -> c_int {
    let timeout = Some(Duration::from_secs_f64(seconds));
    code(stream(fd).set_read_timeout(timeout).and_then(|()| stream(fd).set_write_timeout(timeout)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn std_recv(fd: c_int, data: *mut u8, len: usize) -> isize {
    // SAFETY: the harness's buffer, as in all that follow.
    count(stream(fd).read(unsafe { slice::from_raw_parts_mut(data, len) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn std_send(fd: c_int, data: *const u8, len: usize) -> isize {
    count(stream(fd).write(unsafe { slice::from_raw_parts(data, len) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn std_recvall(fd: c_int, data: *mut u8, len: usize) -> c_int {
    code(stream(fd).read_exact(unsafe { slice::from_raw_parts_mut(data, len) }))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn std_sendall(fd: c_int, data: *const u8, len: usize) -> c_int {
    code(stream(fd).write_all(unsafe { slice::from_raw_parts(data, len) }))
}

/// A `TcpListener` has no timeout.
#[unsafe(no_mangle)]
pub extern "C" fn std_accept(fd: c_int) -> c_int {
    // SAFETY: as for `stream`.
    let listener = ManuallyDrop::new(unsafe { TcpListener::from_raw_fd(fd) });
    listener.accept().map_or_else(failure, |(stream, _)| stream.into_raw_fd())
}

#[unsafe(no_mangle)]
pub extern "C" fn std_connect(port: u16, seconds: f64) -> c_int {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs_f64(seconds))
        .and_then(|stream| {
            stream.set_read_timeout(Some(Duration::from_secs_f64(seconds)))?;
            stream.set_write_timeout(Some(Duration::from_secs_f64(seconds)))?;
            Ok(stream.into_raw_fd())
        })
        .unwrap_or_else(failure)
}
