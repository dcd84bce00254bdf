//! Each sequence runs in a process of its own, which starts afresh, may crash, and may not hang.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::sync::atomic::Ordering::SeqCst;

use crate::call::Shared;
use crate::run::{Failure, Report, run};
use crate::step::Step;

/// How long a sequence may take, in milliseconds. Most take a hundredth.
const WATCHDOG: i32 = 10_000;

pub struct Supervisor {
    shared: &'static Shared,
}

impl Supervisor {
    pub fn new() -> Supervisor {
        Supervisor { shared: Shared::new() }
    }

    /// Runs a sequence, and reports on it whatever becomes of it.
    pub fn run(&self, steps: &[Step]) -> Report {
        let mut ends = [0; 2];
        // SAFETY: plain system calls, with pointers to locals; this process has one thread alone, so that its child
        // may go on as it likes, and each end of the pipe has one owner.
        unsafe {
            assert_eq!(libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC), 0, "pipe");
            let child = libc::fork();
            assert!(child >= 0, "fork");
            if child == 0 {
                libc::close(ends[0]);
                prepare();
                let report = run(steps, self.shared);
                let written = File::from_raw_fd(ends[1]).write_all(encode(&report).as_bytes());
                libc::_exit(i32::from(written.is_err()));
            }
            libc::close(ends[1]);
            let mut entry = libc::pollfd { fd: ends[0], events: libc::POLLIN, revents: 0 };
            let hangs = libc::poll(&raw mut entry, 1, WATCHDOG) == 0;
            if hangs {
                libc::kill(child, libc::SIGKILL);
            }
            let mut text = String::new();
            let whole = File::from_raw_fd(ends[0]).read_to_string(&mut text).is_ok();
            let mut status = 0;
            libc::waitpid(child, &raw mut status, 0);
            if !hangs && whole && status == 0 {
                return decode(&text);
            }
            let step = self.shared.step.load(SeqCst) as usize;
            let why = match (hangs, libc::WIFSIGNALED(status)) {
                (true, _) => "it hangs".to_string(),
                (_, true) => format!("it was killed by signal {}", libc::WTERMSIG(status)),
                _ => "the fuzzer itself failed".to_string(),
            };
            let why = format!("{}: {why}", steps.get(step).map(ToString::to_string).unwrap_or_default());
            let transcript = steps.iter().take(step + 1).map(ToString::to_string).collect();
            Report { failure: Some(Failure { step, why, soft: false }), transcript, ..Report::default() }
        }
    }
}

/// A handler that interrupts, restarts what can be, and cancels if it is to.
fn prepare() {
    // SAFETY: all zero is an action, and the pointers are to locals.
    unsafe {
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = crate::call::on_signal as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(libc::SIGUSR1, &raw const action, std::ptr::null_mut());
        // What the library never raises.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
}

/// A line each, told apart by its first letter.
fn encode(report: &Report) -> String {
    let mut text = format!("p{}\n", report.performed);
    for line in &report.transcript {
        text += &format!("t{line}\n");
    }
    for seen in &report.seen {
        text += &format!("s{seen}\n");
    }
    if let Some(failure) = &report.failure {
        text += &format!("{}{} {}\n", if failure.soft { 'l' } else { 'f' }, failure.step, failure.why);
    }
    text
}

fn decode(text: &str) -> Report {
    let mut report = Report::default();
    for line in text.lines() {
        let (kind, rest) = line.split_at(1);
        match kind {
            "p" => report.performed = rest.parse().unwrap_or(0),
            "t" => report.transcript.push(rest.into()),
            "s" => {
                report.seen.insert(rest.into());
            }
            _ => {
                let (step, why) = rest.split_once(' ').unwrap_or(("0", rest));
                report.failure = Some(Failure { step: step.parse().unwrap_or(0), why: why.into(), soft: kind == "l" });
            }
        }
    }
    report
}
