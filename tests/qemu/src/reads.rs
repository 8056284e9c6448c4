//! One read each of many small arrays: what the real QEMU makes of it, and what the engine does.
//!
//! A case is drawn from its seed: how many children, the letter that each holds, who fails with which error,
//! the threshold, the range, and the order in which the children answer. QEMU's children are held and released
//! in that order, each only when QEMU has dealt with the one before; so the order of its events is known, too.

use super::{Medium, bed::Bed, given_seed, qemu, say, stage::letters, task::Task};
use quorate_engine::{BlockDevice, Errno};
use quorate_qemu::{Daemon, Event, Request};
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const CASES: u64 = 200;
const SEED: u64 = 1;
/// What NBD carries, but for `EOVERFLOW`.
pub(super) const ERRORS: [Errno; 7] = [
    Errno::EPERM,
    Errno::EIO,
    Errno::ENOMEM,
    Errno::EINVAL,
    Errno::ENOSPC,
    Errno::ENOTSUP,
    Errno::ESHUTDOWN,
];

/// What it is, and a change of a case that comes to the same.
type Mistake = (&'static str, fn(&mut Case));

/// What an engine could do wrong, as changes of what it is given; the comparison has to notice each.
const MISTAKES: [Mistake; 3] = [
    ("a vote that asks for one more", |case| {
        case.threshold = (case.threshold + 1).min(case.children.len());
    }),
    ("children that failed and still vote", |case| {
        case.children.iter_mut().for_each(|(_, error)| *error = None);
    }),
    ("reports in the order of the children", |case| case.order.sort_unstable()),
];

#[derive(Clone, Debug)]
struct Case {
    /// What each child holds, and how it fails.
    children: Vec<(char, Option<Errno>)>,
    threshold: usize,
    offset: u64,
    bytes: u32,
    /// Who answers first, and so on.
    order: Vec<usize>,
}

/// What a read came to, and what was told of it.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    reply: Result<String, Errno>,
    events: Vec<String>,
}

#[test]
fn the_engine_reads_as_qemu_does() {
    let Some(program) = qemu() else { return };
    let from = |first: u64| (0..CASES).map(move |case| first.wrapping_add(case));
    let given = given_seed();
    let seeds: BTreeSet<u64> = [Some(SEED), given].into_iter().flatten().flat_map(from).collect();
    let mut daemon = Daemon::start_leaping(&program).expect("it starts");
    let (mut succeeded, mut events) = (0, 0);
    let mut unnoticed = MISTAKES.to_vec();
    for &seed in &seeds {
        let case = case(seed);
        let (ours, theirs) = (ours(&case), theirs(&mut daemon, &case));
        assert_eq!(
            ours,
            theirs,
            "ours and that of QEMU {} differ in\n{case:?}\n\
             QUORATE_SEED={seed} cargo test -p quorate-qemu-tests the_engine_reads_as_qemu_does",
            program.version(),
        );
        succeeded += u64::from(ours.reply.is_ok());
        events += ours.events.len();
        unnoticed.retain(|(_, make)| wrong(&case, *make) == theirs);
    }
    let unnoticed: Vec<_> = unnoticed.iter().map(|(name, _)| *name).collect();
    assert!(unnoticed.is_empty(), "no read was an answer to {unnoticed:?}");
    say(&format!(
        "qemu {}: {} reads compared from seed {SEED} on{}, of which {succeeded} succeed; {events} events in \
         their order; no difference",
        program.version(),
        seeds.len(),
        given.map_or_else(String::new, |given| format!(" and from {given} on")),
    ));
}

fn case(seed: u64) -> Case {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let mut below = |end: usize| {
        let word = usize::try_from(dice.next_u32()).expect("a usize has at least 32 bits");
        word % end
    };
    let count = 1 + below(5);
    let errors = [ERRORS[below(7)], ERRORS[below(7)]];
    // Two contents beside the usual one, and two errors: enough for every kind of tie.
    let children = (0..count).map(|_| match below(10) {
        0..5 => ('A', None),
        5 => ('B', None),
        6 => ('C', None),
        other => ('A', Some(errors[other % 2])),
    });
    let children = children.collect();
    let threshold = 1 + below(count);
    let offset = below(8192);
    let bytes = 1 + below((8192 - offset).min(2048));
    let mut left: Vec<_> = (0..count).collect();
    let order = (0..count).map(|_| left.remove(below(left.len()))).collect();
    let bytes = u32::try_from(bytes).expect("it is small");
    Case { children, threshold, offset: offset as u64, bytes, order }
}

/// What the engine makes of it with a mistake.
fn wrong(case: &Case, make: fn(&mut Case)) -> Outcome {
    let mut mistaken = case.clone();
    make(&mut mistaken);
    ours(&mistaken)
}

fn ours(case: &Case) -> Outcome {
    let contents: String = case.children.iter().map(|(letter, _)| letter).collect();
    let bed = Bed::new(&contents, case.threshold);
    for (index, (_, error)) in case.children.iter().enumerate() {
        bed.stage.hold(&format!("c{index} read"));
        if let Some(error) = *error {
            bed.stage.fail(&format!("c{index} read"), error);
        }
    }
    let mut read = Task::start(bed.array.pread(case.offset, case.bytes as usize));
    for index in &case.order {
        assert!(read.waits(), "a read waits for every child");
        bed.stage.release(&format!("c{index} read"));
    }
    let reply = read.done().expect("every child has answered").map(|data| letters(&data));
    let events = bed.stage.take().into_iter().filter(|line| line.starts_with('!')).collect();
    Outcome { reply, events }
}

fn theirs(daemon: &mut Daemon<Medium>, case: &Case) -> Outcome {
    let lives = "the daemon lives and takes all this";
    let children: Vec<_> = (0..case.children.len()).map(|index| format!("c{index}")).collect();
    let media = case
        .children
        .iter()
        .map(|(letter, _)| Medium::full(u8::try_from(*letter).expect("an ASCII letter")));
    let node = json!({"driver": "quorum", "node-name": "q", "vote-threshold": case.threshold});
    let client = daemon.open(&node, children.iter().cloned().zip(media)).expect(lives);
    for name in &children {
        daemon.child(name).holds_reads = true;
    }
    let read = Request::Read { offset: case.offset, bytes: case.bytes };
    let ticket = daemon.submit(client, &read).expect(lives);
    daemon.until_held(children.len()).expect(lives);
    for &index in &case.order {
        let held = daemon.held();
        let at = held.iter().position(|held| held.child == children[index]).expect("it is held");
        let whole = daemon.child(&children[index]).read(case.offset, case.bytes);
        daemon.release(at, &case.children[index].1.map_or(Ok(whole), Err)).expect(lives);
        daemon.rest().expect(lives);
    }
    let reply = daemon.wait(ticket).expect(lives);
    let events = daemon.take_events();
    daemon.close(client).expect(lives);
    Outcome {
        reply: reply.map(|data| letters(&data)),
        events: events.iter().filter_map(line).collect(),
    }
}

/// An event of a quorum in the words of the stage.
pub(super) fn line(event: &Event) -> Option<String> {
    match event.name.as_str() {
        "QUORUM_REPORT_BAD" => {
            let outcome = match event.data.get("error") {
                None => "outvoted".into(),
                Some(error) => {
                    let named = Errno::all().find(|errno| error == errno.message().as_str());
                    named.map_or_else(|| format!("{error}"), |errno| errno.to_string())
                }
            };
            let (node, of) = (text(event, "node-name"), text(event, "type"));
            Some(format!("! {node} {of} {outcome} {}", sectors(event)))
        }
        "QUORUM_FAILURE" => {
            Some(format!("! {} failure {}", text(event, "reference"), sectors(event)))
        }
        _ => None,
    }
}

fn sectors(event: &Event) -> String {
    let number = |key| event.data.get(key).and_then(Value::as_u64).expect("events have it");
    format!("{}+{}", number("sector-num"), number("sectors-count"))
}

fn text<'a>(event: &'a Event, key: &str) -> &'a str {
    event.data.get(key).and_then(Value::as_str).expect("events have it")
}
