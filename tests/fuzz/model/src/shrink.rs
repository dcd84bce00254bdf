//! Finds the fewest steps that still do it.

use std::time::{Duration, Instant};

use crate::step::{Step, Who};

/// The steps without all of which `does_it` still holds.
pub fn shrink(steps: &[Step], mut does_it: impl FnMut(&[Step]) -> bool) -> Vec<Step> {
    // A hang takes its time whenever it happens.
    let end = Instant::now() + Duration::from_secs(60);
    let mut does_it = |steps: &[Step]| Instant::now() < end && does_it(steps);
    let mut steps = steps.to_vec();
    let mut size = steps.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut shorter = false;
        while at < steps.len() {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if does_it(&fewer) {
                steps = fewer;
                shorter = true;
            } else {
                at += size;
            }
        }
        if size > 1 || !shorter {
            size /= 2;
        }
    }
    // Then the same by the main thread, where that will do.
    for index in 0..steps.len() {
        let mut plainer = steps.clone();
        plainer[index] = Step { who: Who::Main, after: None, ..steps[index] };
        if plainer != steps && does_it(&plainer) {
            steps = plainer;
        }
    }
    steps
}
