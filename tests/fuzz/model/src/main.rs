//! A fuzzer of libsock as it was built: random sequences of calls on a set of descriptors, by two processes,
//! against a model of the contract.
//!
//! ```text
//!   sock-model replay FILE...            the sequences in files, which blank lines separate
//!   sock-model explore SEED SECONDS      random ones
//!   sock-model collect SEED SECONDS      the same, and prints the sequences that showed something new, shrunk
//! ```
//!
//! What was counted comes last, and each function, mode and outcome that was seen after `seen: `. A failure is
//! shrunk and printed as it would be replayed, and the exit code is 1.

mod actor;
mod call;
mod generate;
mod model;
mod run;
mod shrink;
mod step;
mod supervise;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use generate::{Random, sequence};
use run::{Failure, Report};
use shrink::shrink;
use step::{Step, parse};
use supervise::Supervisor;

/// What all sequences showed.
#[derive(Default)]
struct Counts {
    sequences: usize,
    steps: usize,
    failures: usize,
    seen: BTreeSet<String>,
}

impl Counts {
    fn add(&mut self, report: &Report) {
        self.sequences += 1;
        self.steps += report.performed;
        self.seen.extend(report.seen.iter().cloned());
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut counts = Counts::default();
    let done = match arguments.as_slice() {
        ["replay", files @ ..] => files.iter().try_for_each(|file| replay(file, &mut counts)),
        [verb @ ("explore" | "collect"), seed, seconds] => match (seed.parse(), seconds.parse()) {
            (Ok(seed), Ok(seconds)) => {
                explore(seed, Duration::from_secs(seconds), *verb == "collect", &mut counts);
                Ok(())
            }
            _ => Err("SEED and SECONDS are numbers".into()),
        },
        _ => Err("usage: sock-model replay FILE... | explore SEED SECONDS | collect SEED SECONDS".into()),
    };
    if let Err(why) = done {
        eprintln!("{why}");
        return ExitCode::from(2);
    }
    for seen in &counts.seen {
        println!("seen: {seen}");
    }
    println!(
        "{} sequences, {} steps, {} outcomes, {} failed",
        counts.sequences,
        counts.steps,
        counts.seen.len(),
        counts.failures
    );
    ExitCode::from(u8::from(counts.failures > 0))
}

fn replay(file: &str, counts: &mut Counts) -> Result<(), String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let supervisor = Supervisor::new();
    for (number, sequence) in text.split("\n\n").enumerate() {
        let steps: Vec<Step> = sequence.lines().filter_map(|line| parse(line).transpose()).collect::<Result<_, _>>()?;
        if steps.is_empty() {
            continue; // A comment alone.
        }
        let report = supervisor.run(&steps);
        counts.add(&report);
        if let Some(failure) = confirmed(&supervisor, &steps, &report) {
            counts.failures += 1;
            tell(&format!("sequence {} of {file}", number + 1), &failure, &report.transcript);
        }
    }
    Ok(())
}

fn explore(seed: u64, time: Duration, collects: bool, counts: &mut Counts) {
    let supervisor = Supervisor::new();
    let start = Instant::now();
    for number in 0.. {
        if start.elapsed() >= time || counts.failures >= 5 {
            return;
        }
        let steps = sequence(&mut Random(seed.wrapping_add(number).wrapping_mul(0xD134_2543_DE82_EF95)));
        let report = supervisor.run(&steps);
        let new: BTreeSet<String> = report.seen.difference(&counts.seen).cloned().collect();
        counts.add(&report);
        if let Some(failure) = confirmed(&supervisor, &steps, &report) {
            counts.failures += 1;
            let fails = |steps: &[Step]| {
                (0..4).any(|_| supervisor.run(steps).failure.is_some_and(|found| found.soft == failure.soft))
            };
            let steps = shrink(&steps, fails);
            let report = (0..8).map(|_| supervisor.run(&steps)).find(|report| report.failure.is_some());
            let (failure, transcript) = match report {
                Some(report) => (report.failure.unwrap_or(failure), report.transcript),
                None => (failure, steps.iter().map(ToString::to_string).collect()),
            };
            tell(&format!("seed {}", seed.wrapping_add(number)), &failure, &transcript);
        } else if collects && !new.is_empty() {
            let steps = shrink(&steps, |steps| new.is_subset(&supervisor.run(steps).seen));
            println!("# {}", new.into_iter().collect::<Vec<_>>().join("; "));
            steps.iter().for_each(|step| println!("{step}"));
            println!();
        }
    }
}

/// A failure for which a busy machine cannot be to blame: what could be must happen again, and again.
fn confirmed(supervisor: &Supervisor, steps: &[Step], report: &Report) -> Option<Failure> {
    let failure = report.failure.clone()?;
    let again = || supervisor.run(steps).failure.is_some();
    (!failure.soft || (0..3).all(|_| again())).then_some(failure)
}

fn tell(which: &str, failure: &Failure, transcript: &[String]) {
    println!("FAILED {which}: {}", failure.why);
    transcript.iter().for_each(|line| println!("    {line}"));
}
