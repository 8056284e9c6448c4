//! Votes that a run is made to have.
//!
//! By chance alone most votes never happen: four children that fail alike, two that agree on
//! something wrong, one that is right. So a run can aim at a few cells of coverage, at sectors that
//! nobody else touches. Seeds go through all cells in steps of the golden ratio: whatever runs of seeds
//! are looked at, none is aimed at often before all have been.

use super::pick;
use crate::model::{
    Action, Array, Children, Client, Expected, Mix, Payload, Random, Request, Scenario,
};
use quorate_engine::{Errno, Flags, OpType, SECTOR_BYTES, quorum::options::ReadPattern};
use quorate_faults::{
    draw::{Domain, Draw, Keyed},
    fault::{Amount, Applied, Damage, Fault, Stability},
    rule::{self, Members, OpKind, Place, Rule, Sharing, When},
    text::{SectorRange, Size},
};
use quorate_reports::summary::{self, Cell, cell::Parts};

/// The cells of one run, all of the same array.
pub(super) struct Aims(Vec<Cell>);

impl Aims {
    /// What the run of a seed aims at, among arrays of these sizes.
    pub(super) fn of(seed: u64, sizes: &[u32]) -> Option<Self> {
        let sizes = sizes.iter().filter_map(|&size| u8::try_from(size).ok());
        let mut groups: Vec<Vec<Cell>> = Vec::new();
        for children in sizes.filter(|size| usize::from(*size) <= Parts::CHILDREN_MAX) {
            for threshold in 1..=children {
                let (fifo, voted): (Vec<Cell>, Vec<Cell>) =
                    summary::cores(children, threshold).into_iter().partition(|c| c.traits.fifo);
                groups
                    .extend([fifo, voted].iter().flat_map(|c| c.chunks(CELLS)).map(<[_]>::to_vec));
            }
        }
        let step = u128::from(seed.wrapping_mul(GOLDEN));
        let at = (step * groups.len() as u128) >> 64;
        groups.get(usize::try_from(at).ok()?).cloned().map(Self)
    }

    /// Makes the array one that can have these votes.
    pub(super) fn shape(&self, array: &mut Array) {
        let is_fifo = self.0[0].traits.fifo;
        array.children = Children::Count(self.0[0].children.into());
        array.vote_threshold = self.0[0].threshold.into();
        array.read_pattern = if is_fifo { ReadPattern::Fifo } else { ReadPattern::Quorum };
        array.rewrite_corrupted &= !is_fifo;
    }

    /// Adds a client whose requests are voted on so.
    pub(super) fn take(&self, scenario: &mut Scenario, keyed: &Keyed) {
        let first_sector = scenario.disk(0).bytes / SECTOR_BYTES - CELLS as u64;
        scenario.rules.extend(self.rules(keyed, first_sector));
        scenario.clients.push(Client { steps: self.steps(first_sector) });
        let cells: Vec<String> = self.0.iter().map(Cell::to_string).collect();
        scenario.drawn = format!("aims at {}", cells.join("; "));
    }

    /// What makes the votes come out so, from this sector on.
    fn rules(&self, keyed: &Keyed, first_sector: u64) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut flushes = 0;
        for (number, cell) in (0..).zip(&self.0) {
            let draw = keyed.draw(AIMS, 0, number);
            flushes += u64::from(cell.op == OpType::Flush);
            let place = match cell.op {
                OpType::Flush => Place::default(),
                _ => {
                    let start = first_sector + number;
                    Place {
                        sectors: Some(SectorRange { start, end: start + 1 }),
                        ..Place::default()
                    }
                }
            };
            let nth = if cell.op == OpType::Flush { flushes } else { 1 };
            let on = match cell.op {
                OpType::Read => OpKind::Read,
                OpType::Write => OpKind::Write,
                OpType::Flush => OpKind::Flush,
            };
            for (party, (children, fault)) in
                parties(cell, keyed, number, &draw).into_iter().enumerate()
            {
                rules.push(Rule {
                    name: format!("aim-{number}-{party}"),
                    on: vec![on],
                    child: rule::Children::Drawn {
                        members: Members::List(children),
                        draw: Sharing::SharedBytes,
                    },
                    r#where: place.clone(),
                    when: When { nth: vec![nth], ..When::default() },
                    r#do: fault,
                });
            }
        }
        rules
    }

    /// The requests that are voted on, from this sector on; reads come twice, so that it shows whether
    /// somebody was repaired.
    fn steps(&self, first_sector: u64) -> Vec<Action> {
        let mut steps = Vec::new();
        for (sector, cell) in (first_sector..).zip(&self.0) {
            let (offset, bytes) = (sector * SECTOR_BYTES, SECTOR_BYTES);
            let (request, times) = match cell.op {
                OpType::Read => (Request::Read { offset, bytes }, 2),
                OpType::Write => {
                    let (payload, flags) = (Payload::Stamp, Flags::NONE);
                    (Request::Write { offset, bytes, payload, flags }, 1)
                }
                OpType::Flush => (Request::Flush, 1),
            };
            let expected = Expected::default();
            let step = Action::Request { request, background: None, expected };
            steps.extend(std::iter::repeat_n(step, times));
        }
        steps
    }
}

/// What else there is in such a run: nothing where it aims, and no flush, as those are counted.
pub(super) fn beside(random: &Random, disk_bytes: u64) -> Random {
    let span = disk_bytes - CELLS as u64 * SECTOR_BYTES;
    Random {
        span: Some(Size(random.span.map_or(span, |own| own.0.min(span)))),
        mix: Mix { fua: 0, fua_zeroes: 0, flush: 0, ..random.mix },
        ..random.clone()
    }
}

/// Who goes wrong alike, and how.
fn parties(cell: &Cell, keyed: &Keyed, number: u64, draw: &Draw) -> Vec<(Vec<u32>, Fault)> {
    let mut children: Vec<u32> = (0..cell.children.into()).collect();
    // In fifo order who fails comes first; else anybody may.
    if !cell.traits.fifo {
        children.sort_by_key(|&child| keyed.draw(AIMS, 1 + child, number).word(0));
    }
    let mut left = children.into_iter();
    let mut take = |count: u8| {
        let mut party: Vec<u32> = left.by_ref().take(count.into()).collect();
        party.sort_unstable();
        party
    };
    let errno = *pick(draw, 0, &[Errno::EIO, Errno::ENOSPC, Errno::EPERM]);
    let failing = Fault::Status { errno, applied: Applied::None };
    let damage = Damage { amount: Amount::Bytes(8), at: None };
    let wrong = Fault::Corrupt { damage, stability: Stability::Fresh };
    let mut parties = vec![(take(cell.errors.total()), failing)];
    parties.extend(cell.wrong.sizes().map(|size| (take(size), wrong.clone())));
    parties.retain(|(children, _)| !children.is_empty());
    parties
}

/// How many cells a run aims at.
const CELLS: usize = 4;
/// Who goes wrong.
const AIMS: Domain = Domain::PLAN.lane(3);
/// 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
