//! The contract, function by function.
//!
//! Tests that fork, handle signals, use up descriptors or crowd the table of exact timeouts would disturb those beside
//! them. Each group of such tests is a program of its own: `cancels`, `few_descriptors`, `sharing`, `signals`, `sigpipe`, `threads`,
//! `tokens` and `torn_reads`, in this folder.

mod common;

mod addresses;
mod connection;
mod dial_until;
mod errors;
mod lines;
mod modes;
mod names;
mod pitfalls;
mod transfer;
mod until;
mod wait;
