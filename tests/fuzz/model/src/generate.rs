//! Random sequences, the same for the same seed.

use crate::step::{DONTWAIT, HUGE, IN, Kind, NULL, OUT, PEEK, SLOTS, Step, VERBS, Verb, Who};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// So often in a hundred.
    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }
}

/// Around the ticks and the shares of the kernel's timer, at every rate that Linux has.
const SHORT: [f64; 18] = [
    0.0001, 0.0005, 0.001, 0.0015, 0.002, 0.003999, 0.004, 0.0041, 0.005, 0.008, 0.01, 0.0135, 0.014, 0.015, 0.0155,
    0.017, 0.018, 0.0205,
];
const LONG: [f64; 8] = [0.05, 0.1, 1.0, 12.345, 86_400.0, 4_294_967.3, 3e6, 9e9];
const REFUSED: [f64; 6] = [f64::NAN, -1.0, -1e-300, f64::NEG_INFINITY, 1e10, f64::MAX];
const LENGTHS: [f64; 12] = [0.0, 1.0, 2.0, 64.0, 100.0, 1000.0, 2048.0, 2049.0, 4096.0, 30_000.0, 300_000.0, 8e6];

fn seconds(random: &mut Random) -> f64 {
    match random.below(20) {
        0 | 1 => 0.0,
        2 | 3 => f64::INFINITY,
        4 | 5 => random.pick(&LONG),
        6 => random.pick(&REFUSED),
        _ => random.pick(&SHORT),
    }
}

fn length(random: &mut Random) -> f64 {
    if random.percent(60) { random.pick(&LENGTHS[..8]) } else { random.pick(&LENGTHS) }
}

const PAIRS: [Kind; 6] = [Kind::UnixStream, Kind::Tcp, Kind::UnixSeqpacket, Kind::UnixDatagram, Kind::Udp, Kind::Pipe];

fn slots(random: &mut Random, step: &mut Step) {
    let from = random.below(SLOTS);
    (step.a, step.b, step.c) = (from, (from + 1) % SLOTS, (from + 2) % SLOTS);
}

/// A step that makes descriptors.
fn opening(random: &mut Random) -> Vec<Step> {
    let mut pair = Step::new(Verb::Pair);
    let pipes = usize::from(random.percent(5));
    pair.kind = random.pick(&PAIRS[..PAIRS.len() - 1 + pipes]);
    if random.percent(40) {
        pair.kind = Kind::UnixStream;
    }
    slots(random, &mut pair);
    if random.percent(75) {
        return vec![pair];
    }
    let kind = random.pick(&[Kind::UnixStream, Kind::Tcp]);
    let listen = Step { verb: Verb::Listen, kind, ..pair };
    vec![
        listen,
        Step { verb: Verb::Socket, a: pair.b, kind, ..pair },
        Step { verb: Verb::Socket, a: pair.c, kind, ..pair },
    ]
}

/// A step that makes what a wait may be cancelled by: a token, or what else becomes readable.
fn canceller(random: &mut Random) -> Step {
    let verb = random.pick(&[Verb::Token, Verb::Token, Verb::Event, Verb::Pair]);
    Step { a: TOKEN, b: TOKEN - 1, kind: Kind::Pipe, ..Step::new(verb) }
}

/// Where such a descriptor is.
const TOKEN: usize = SLOTS - 1;

/// Steps that make sense together at best, and do not at times.
pub fn sequence(random: &mut Random) -> Vec<Step> {
    let mut steps = opening(random);
    if random.percent(50) {
        steps.extend(opening(random));
    }
    if random.percent(50) {
        steps.push(canceller(random));
    }
    let mut used: Vec<usize> = steps.iter().flat_map(|step| [step.a, step.b]).collect();
    if random.percent(60) {
        steps.extend(used.iter().map(|slot| Step { a: *slot, ..Step::new(Verb::Share) }).collect::<Vec<_>>());
    }
    for _ in 0..5 + random.below(25) {
        let before = steps.len();
        one(random, &used, &mut steps);
        used.extend(steps[before..].iter().filter(|step| step.verb == Verb::Accept).map(|step| step.b));
    }
    steps
}

fn one(random: &mut Random, used: &[usize], steps: &mut Vec<Step>) {
    let mut step = Step::new(Verb::Close);
    slots(random, &mut step);
    if random.percent(95) {
        step.a = random.pick(used);
    }
    if random.percent(70) {
        step.b = random.pick(used);
    }
    step.who = random.pick(&[Who::Main, Who::Main, Who::Main, Who::Main, Who::Worker]);
    step.verb = match random.below(1000) {
        0..2 => Verb::Collide,
        2..30 => Verb::Dup,
        30..50 => Verb::Close,
        50..80 => Verb::Share,
        80..90 => Verb::Fork,
        90..130 => Verb::Nonblock,
        130..150 => Verb::Rcvtimeo,
        150..170 => Verb::Sndtimeo,
        170..190 => Verb::Sndbuf,
        190..202 => Verb::Shutdown,
        202..205 => random.pick(&[Verb::Event, Verb::Fire]),
        205..240 => Verb::Feed,
        240..260 => Verb::Drain,
        260..280 => return steps.extend(opening(random)),
        280..480 => {
            random.pick(&[Verb::Settimeout, Verb::Settimeout, Verb::Settimeout, Verb::Setblocking, Verb::Setinterrupt])
        }
        480..530 => Verb::Connect,
        530..580 => Verb::Accept,
        _ => VERBS[Verb::Setblocking as usize + random.below(VERBS.len() - Verb::Setblocking as usize)].0,
    };
    if matches!(step.verb, Verb::Share | Verb::Fork | Verb::Collide | Verb::Connect) {
        step.who = Who::Main;
    }
    arguments(random, &mut step);
    if matches!(step.verb, Verb::Token | Verb::Event | Verb::Cancel) && random.percent(80) {
        step.a = TOKEN;
    }
    if step.verb.signature().ends_with('u') && random.percent(30) {
        step.until = Some(match random.below(10) {
            0 => random.pick(&[0.0, -1.0, f64::NAN, 1e10]),
            1..4 => f64::INFINITY,
            4 => 1.0,
            _ => random.pick(&SHORT),
        });
        if random.percent(60) {
            step.token = Some(if random.percent(90) { TOKEN } else { random.below(SLOTS) });
        }
    }
    if step.verb.is_ours() && !step.verb.sets_mode() && random.percent(35) {
        step.who = Who::Main;
        steps.push(meanwhile(random, used, &step));
    }
    steps.push(step);
}

fn arguments(random: &mut Random, step: &mut Step) {
    step.n = match step.verb {
        Verb::Settimeout | Verb::Wait | Verb::Deadline => seconds(random),
        Verb::Rcvtimeo | Verb::Sndtimeo => random.pick(&[0.0, 0.004, 0.008, 0.012, 0.02, 1.0]),
        Verb::Sndbuf => 2304.0,
        Verb::Shutdown => random.below(3) as f64,
        Verb::Signals => 1.0 + random.below(5) as f64,
        Verb::Strerror => random.below(300) as f64 - 150.0,
        verb if verb.sends() || verb.receives() || verb == Verb::Feed => length(random),
        _ => random.below(2) as f64,
    };
    step.flags = match step.verb {
        Verb::Wait => random.pick(&[0, IN, IN, IN, OUT, IN | OUT]),
        Verb::Gettimeout if random.percent(5) => NULL,
        verb if (verb.sends() || verb.receives()) && verb != Verb::Recvdelim && random.percent(20) => {
            random.pick(&[DONTWAIT, DONTWAIT, if verb.receives() { PEEK } else { 0 }, NULL, HUGE, NULL | HUGE])
        }
        _ => 0,
    };
}

/// A step of another, which often is what the call waits for.
fn meanwhile(random: &mut Random, used: &[usize], call: &Step) -> Step {
    let mut step = Step::new(match call.verb {
        Verb::Accept => random.pick(&[Verb::Connect, Verb::Connect, Verb::Signals, Verb::Settimeout]),
        verb if verb.sends() => {
            random.pick(&[Verb::Drain, Verb::Drain, Verb::Signals, Verb::Settimeout, Verb::Shutdown])
        }
        _ => random.pick(&[
            Verb::Feed,
            Verb::Feed,
            Verb::Feed,
            Verb::Signals,
            Verb::Settimeout,
            Verb::Shutdown,
            Verb::Close,
        ]),
    });
    if call.token.is_some() && random.percent(50) {
        step.verb = random.pick(&[Verb::Cancel, Verb::Handle, Verb::Fire]);
    } else if random.percent(10) {
        step.verb = random.pick(&[Verb::Nonblock, Verb::Setblocking, Verb::Setinterrupt]);
    }
    step.after = Some(random.pick(&[0, 1, 2, 4, 8]));
    step.who = random.pick(&[Who::Thread, Who::Worker]);
    step.a = match step.verb {
        Verb::Settimeout | Verb::Nonblock | Verb::Setblocking | Verb::Setinterrupt => call.a,
        Verb::Cancel | Verb::Handle => TOKEN,
        Verb::Fire => random.pick(&[TOKEN, TOKEN - 1]),
        // The peer is next to it, more often than not.
        _ if random.percent(50) => (call.a + 1) % SLOTS,
        _ if random.percent(50) => (call.a + SLOTS - 1) % SLOTS,
        _ => random.pick(used),
    };
    step.b = if call.verb == Verb::Accept { call.a } else { random.pick(used) };
    if step.verb == Verb::Handle {
        step.who = Who::Thread;
    }
    arguments(random, &mut step);
    step.flags = 0;
    if matches!(step.verb, Verb::Settimeout) {
        step.n = random.pick(&SHORT);
    }
    step
}
