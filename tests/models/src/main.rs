//! Models of what the library's threads and processes do to one another, made of the library's own files.
//!
//! Orders of atomics are explored by loom; orders of system calls, which change a socket's mode, by `explore`.
#![allow(dead_code, unused_imports)] // Of the library's files the models need a part.

#[path = "../../../src/codes.rs"]
mod codes;
#[path = "../../../src/connection.rs"]
mod connection;
#[path = "../../../src/errno.rs"]
mod errno;
#[path = "../../../src/mode/mod.rs"]
mod mode;
#[path = "../../../src/operation.rs"]
mod operation;
#[path = "../../../src/mode/table.rs"]
mod table;
#[path = "../../../src/time.rs"]
mod time;
#[path = "../../../src/wait.rs"]
mod wait;

#[path = "simulated/atomic.rs"]
mod atomic;
#[path = "simulated/linux.rs"]
mod linux;
#[path = "simulated/memory.rs"]
mod memory;
#[path = "simulated/options.rs"]
mod options;
#[path = "simulated/sys.rs"]
mod sys;

mod explore;
mod lookups;
mod name;
mod setters;
mod words;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

fn is_long() -> bool {
    std::env::var("LIBSOCK_LONG").is_ok_and(|long| long != "0" && !long.is_empty())
}

/// What is modelled, and how.
enum Model {
    /// Under loom, with at most so many preemptions of a thread that could go on, or any number.
    Loom(fn(), Option<usize>),
    Explore(fn() -> explore::Explored, usize),
}

const MODELS: [(&str, Model); 11] = [
    ("a word that is replaced while it is read", Model::Loom(words::replaced_while_read, None)),
    ("an entry that two sockets have", Model::Loom(words::shared_by_two_sockets, None)),
    ("an entry taken from a socket that is gone", Model::Loom(words::taken_from_a_socket_that_is_gone, None)),
    ("a lookup that is waited for", Model::Loom(lookups::waited_for, None)),
    ("a lookup that is cancelled at any moment", Model::Loom(lookups::cancelled_at_any_moment, Some(3))),
    ("a lookup that is abandoned before another", Model::Loom(lookups::abandoned_before_another, Some(3))),
    ("two lookups that are abandoned at once", Model::Loom(lookups::two_abandoned_at_once, Some(3))),
    ("a setter and a reader", Model::Explore(setters::a_setter_and_a_reader, explore::ALWAYS)),
    ("a setter and an accept", Model::Explore(setters::a_setter_and_an_accept, explore::ALWAYS)),
    ("a setter and a connect", Model::Explore(setters::a_setter_and_a_connect, explore::ALWAYS)),
    ("two setters", Model::Explore(setters::two_setters, setters::PREEMPTIONS)),
];

static EXECUTIONS: AtomicUsize = AtomicUsize::new(0);

/// What was explored of a model, which panics where something does not hold.
fn check(model: &Model) -> String {
    let bound = |most: Option<usize>| most.map_or("all".into(), |most| format!("at most {most} preemptions"));
    match model {
        Model::Loom(body, preemptions) => {
            let mut builder = loom::model::Builder::new();
            (builder.preemption_bound, builder.max_branches) = (*preemptions, 10_000);
            let body = *body;
            builder.check(move || {
                EXECUTIONS.fetch_add(1, Relaxed);
                memory::begin();
                name::thread::begin();
                atomic::begin();
                body();
            });
            format!("{} executions, {}", EXECUTIONS.load(Relaxed), bound(*preemptions))
        }
        Model::Explore(body, preemptions) => {
            let explore::Explored { interleavings, states, worlds, steps } = body();
            let bound = bound(Some(*preemptions).filter(|most| *most != explore::ALWAYS));
            format!(
                "{interleavings:.2e} interleavings, {bound}, by way of {states} states and {worlds} of the socket, \
                 at most {steps} steps of a function"
            )
        }
    }
}

/// Checks the model of that name, with all orders of its atomics relaxed if that is asked for; or names all.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => MODELS.iter().for_each(|(name, _)| println!("{name}")),
        [wanted, how @ ..] => {
            if how == ["relaxed"] {
                atomic::weaken();
            }
            let (_, model) = MODELS.iter().find(|(name, _)| name == wanted).expect("the name of a model");
            println!("{}", check(model));
        }
    }
}
