//! What a power cut leaves of the writes that were not durable.

use crate::{
    alteration::{Flip, Run},
    draw::{Draw, Stream},
    effect::{self, holes, kept_by},
    fault::{Keep, Kept, Rest, Survivors, Torn},
    medium::Volatile,
};
use quorate_engine::SECTOR_BYTES;
use std::ops::Range;

/// What becomes durable in its order, what is lost, and what is wrong in what became durable.
#[derive(Debug, Default)]
pub(crate) struct Left {
    pub(crate) kept: Vec<Run>,
    pub(crate) lost: Vec<Run>,
    pub(crate) flips: Vec<Flip>,
}

/// Decides what remains. The units of `keep` are the writes that are not durable, oldest first, and
/// behind them those in flight.
pub(crate) fn left(survivors: &Survivors, volatile: &Volatile, draw: &Draw) -> Left {
    let mut stream = draw.expand();
    let (kept, flips) = match survivors {
        Survivors::Runs { runs, flips } => (runs.clone(), flips.clone()),
        Survivors::Drawn { keep, torn, rest, reorder } => {
            let mut kept: Vec<Run> = Vec::new();
            let mut flips = Vec::new();
            let units = [&*volatile.dirty, &*volatile.in_flight].concat();
            for run in chosen(keep, &units, &mut stream) {
                match torn {
                    Torn::Whole => kept.push(run),
                    Torn::Part(part) => tear(run, part, *rest, &mut stream, &mut kept, &mut flips),
                }
            }
            if *reorder {
                shuffle(&mut kept, &mut stream);
            }
            (kept, flips)
        }
    };
    let all = volatile.dirty.iter().chain(&volatile.in_flight).chain(&volatile.poisoned);
    let lost = all.flat_map(|run| missing(run, &kept)).collect();
    Left { kept, lost, flips: merged(flips) }
}

/// The runs of a flush that are kept, those that are not, and which of all are.
pub(crate) fn split(
    keep: Option<&Keep>,
    dirty: &[Run],
    draw: &Draw,
) -> (Vec<Run>, Vec<Run>, Vec<bool>) {
    let Some(keep) = keep else { return (Vec::new(), dirty.to_vec(), vec![false; dirty.len()]) };
    let marks = marks(&Kept::Part(keep.clone()), dirty, &mut draw.expand());
    let kept = marked(dirty, &marks);
    let left = dirty.iter().flat_map(|run| missing(run, &kept)).collect();
    (kept, left, marks)
}

fn chosen(keep: &Kept, runs: &[Run], stream: &mut Stream) -> Vec<Run> {
    marked(runs, &marks(keep, runs, stream))
}

fn marked(runs: &[Run], marks: &[bool]) -> Vec<Run> {
    runs.iter().zip(marks).filter(|(_, mark)| **mark).map(|(run, _)| run.clone()).collect()
}

/// Which of the runs are kept.
fn marks(keep: &Kept, runs: &[Run], stream: &mut Stream) -> Vec<bool> {
    let count = runs.len() as u64;
    let keep = match keep {
        Kept::None => return vec![false; runs.len()],
        Kept::All => return vec![true; runs.len()],
        Kept::Prefix => Keep::Prefix(stream.below(count + 1)),
        Kept::Part(keep) => keep.clone(),
    };
    (0..count).map(|index| kept_by(&keep, index, count, stream)).collect()
}

/// The sectors of a write that land; the others with garbage, if there is any.
fn tear(
    run: Run,
    part: &Keep,
    rest: Rest,
    stream: &mut Stream,
    kept: &mut Vec<Run>,
    flips: &mut Vec<Flip>,
) {
    let Run { write, range } = run;
    let lands = effect::pieces(part, SECTOR_BYTES, &range, stream);
    match rest {
        Rest::Old => kept.extend(lands.into_iter().map(|range| Run { write, range })),
        Rest::Garbage => {
            for hole in holes(&range, &lands) {
                flips.extend(effect::garbage(hole, stream));
            }
            kept.push(Run { write, range });
        }
    }
}

/// What the runs leave out of a write.
fn missing(run: &Run, kept: &[Run]) -> Vec<Run> {
    let mut own: Vec<Range<u64>> = kept
        .iter()
        .filter(|other| other.write == run.write)
        .map(|other| other.range.start.max(run.range.start)..other.range.end.min(run.range.end))
        .filter(|range| range.start < range.end)
        .collect();
    own.sort_by_key(|range| range.start);
    let holes = holes(&run.range, &own);
    holes.into_iter().map(|range| Run { write: run.write, range }).collect()
}

/// By Fisher and Yates.
fn shuffle(runs: &mut [Run], stream: &mut Stream) {
    for at in (1..runs.len()).rev() {
        let other = stream.below(at as u64 + 1);
        runs.swap(at, usize::try_from(other).expect("an index of a list"));
    }
}

/// Each byte once, in order; of a byte that is hit twice, the first mask.
fn merged(mut flips: Vec<Flip>) -> Vec<Flip> {
    flips.sort_by_key(|flip| flip.at);
    flips.dedup_by_key(|flip| flip.at);
    flips
}
