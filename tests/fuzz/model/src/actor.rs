//! Those who perform steps besides the main thread: a worker process and a thread.

use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use libc::{c_int, c_void};

use crate::call::{Command, Look, Reply, Shared, close_all, look, number, perform, settle};

/// What a worker is asked. It is a copy of this process, so that plain bytes will do between them.
#[derive(Clone, Copy)]
enum Request {
    Perform(Command),
    Look(c_int),
    Settle(c_int, u64, i16),
    /// The descriptor that comes along is to have that number.
    Take(c_int),
}

#[derive(Clone, Copy)]
enum Answer {
    Performed(Reply),
    Looked(Look),
    Done,
}

/// A forked process that shares sockets with this one.
pub struct Worker {
    pid: libc::pid_t,
    channel: c_int,
}

impl Worker {
    /// A worker that inherits the descriptors of steps, or has none of them.
    pub fn fork(inherits: bool, shared: &Shared) -> Worker {
        let mut ends = [0; 2];
        // SAFETY: plain system calls, with a pointer to a local of two.
        unsafe {
            assert_eq!(libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, ends.as_mut_ptr()), 0, "socketpair");
            let pid = libc::fork();
            assert!(pid >= 0, "fork");
            if pid > 0 {
                libc::close(ends[1]);
                return Worker { pid, channel: ends[0] };
            }
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            libc::close(ends[0]);
            if !inherits {
                close_all();
            }
            while let Some((request, fd)) = receive::<Request>(ends[1]) {
                send(ends[1], &answer(request, fd, shared), -1);
            }
            libc::_exit(0);
        }
    }

    fn ask(&self, request: Request, fd: c_int) -> Answer {
        send(self.channel, &request, fd);
        self.answer()
    }

    fn answer(&self) -> Answer {
        receive(self.channel).expect("the worker process has died").0
    }

    pub fn begin(&self, command: &Command) {
        send(self.channel, &Request::Perform(*command), -1);
    }

    pub fn end(&self) -> Reply {
        match self.answer() {
            Answer::Performed(reply) => reply,
            _ => unreachable!("a worker answers what it was asked"),
        }
    }

    pub fn look(&self, fd: c_int) -> Look {
        match self.ask(Request::Look(fd), -1) {
            Answer::Looked(look) => look,
            _ => unreachable!("a worker answers what it was asked"),
        }
    }

    pub fn settle(&self, fd: c_int, bytes: u64, events: i16) {
        self.ask(Request::Settle(fd, bytes, events), -1);
    }

    pub fn share(&self, slot: usize) {
        self.ask(Request::Take(number(slot)), number(slot));
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SAFETY: plain system calls on a child and a descriptor that are ours.
        unsafe {
            libc::kill(self.pid, libc::SIGKILL);
            libc::waitpid(self.pid, null_mut(), 0);
            libc::close(self.channel);
        }
    }
}

fn answer(request: Request, fd: c_int, shared: &Shared) -> Answer {
    match request {
        Request::Perform(command) => return Answer::Performed(perform(&command, shared)),
        Request::Look(fd) => return Answer::Looked(look(fd)),
        Request::Settle(fd, bytes, events) => settle(fd, bytes, events),
        // SAFETY: plain system calls on descriptors that are ours.
        Request::Take(onto) => unsafe {
            libc::dup2(fd, onto);
            libc::close(fd);
        },
    }
    Answer::Done
}

/// Room for one descriptor as control data, aligned as it must be.
type Control = [u64; 3];

/// Sends a message, and a descriptor unless that is negative.
fn send<T: Copy>(channel: c_int, message: &T, fd: c_int) {
    let mut buffer = libc::iovec { iov_base: (&raw const *message).cast_mut().cast(), iov_len: size_of::<T>() };
    let mut control: Control = [0; 3];
    // SAFETY: the pointers are to locals and the message, with their lengths; CMSG_DATA has room for a number.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &raw mut buffer;
        header.msg_iovlen = 1;
        if fd >= 0 {
            header.msg_control = control.as_mut_ptr().cast();
            header.msg_controllen = libc::CMSG_SPACE(size_of::<c_int>() as u32) as _;
            let first = libc::CMSG_FIRSTHDR(&raw const header);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(size_of::<c_int>() as u32) as _;
            libc::CMSG_DATA(first).cast::<c_int>().write_unaligned(fd);
        }
        let sent = libc::sendmsg(channel, &raw const header, libc::MSG_NOSIGNAL);
        assert_eq!(sent, size_of::<T>() as isize, "a process of the sequence has died");
    }
}

/// Receives a message, and a descriptor or -1; `None` at the end.
fn receive<T: Copy>(channel: c_int) -> Option<(T, c_int)> {
    let mut message = MaybeUninit::<T>::uninit();
    let mut buffer = libc::iovec { iov_base: message.as_mut_ptr().cast::<c_void>(), iov_len: size_of::<T>() };
    let mut control: Control = [0; 3];
    // SAFETY: the pointers are to locals, with their lengths. A message of full length is one that `send` sent,
    // from the same program.
    unsafe {
        let mut header: libc::msghdr = zeroed();
        header.msg_iov = &raw mut buffer;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = size_of::<Control>() as _;
        while libc::recvmsg(channel, &raw mut header, 0) != size_of::<T>() as isize {
            if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
                return None;
            }
        }
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        let fd = if first.is_null() { -1 } else { libc::CMSG_DATA(first).cast::<c_int>().read_unaligned() };
        Some((message.assume_init(), fd))
    }
}

/// A thread of this process.
pub struct Thread {
    commands: Sender<Command>,
    replies: Receiver<Reply>,
}

impl Thread {
    pub fn start(shared: &'static Shared) -> Thread {
        let (commands, todo) = channel::<Command>();
        let (done, replies) = channel();
        thread::spawn(move || {
            for command in todo {
                if done.send(perform(&command, shared)).is_err() {
                    return;
                }
            }
        });
        Thread { commands, replies }
    }

    pub fn begin(&self, command: &Command) {
        self.commands.send(*command).expect("the thread runs");
    }

    pub fn end(&self) -> Reply {
        self.replies.recv().expect("the thread runs")
    }
}
