//! What each sector of an image may hold while many requests are in flight.
//!
//! Every sector is a register by itself: a read gives what the last write left that was acknowledged before it
//! began, or what another one left that was not over by then. A write that failed is never over.

use super::cases::Case;
use bytes::Bytes;
use std::ops::Range;

pub(crate) const CASES: &[Case<()>] = &[
    ("a_register_notices_what_is_lost", a_register_notices_what_is_lost),
    ("a_register_bears_with_what_is_not_over", a_register_bears_with_what_is_not_over),
    ("a_register_knows_whose_bytes_they_are", a_register_knows_whose_bytes_they_are),
];

/// The sectors of an image, in which there are zeroes at first.
pub(crate) struct Register {
    /// How much has begun or ended.
    now: u64,
    /// Those that began, by number; the first one left the zeroes.
    writes: Vec<Write>,
    /// The last write of each sector that is known to have happened.
    happened: Vec<usize>,
}

struct Write {
    sectors: Range<usize>,
    began: u64,
    ended: u64,
}

/// A read that has begun, and what has happened to its sectors by then.
pub(crate) struct Read {
    sectors: Range<usize>,
    happened: Vec<usize>,
}

impl Register {
    pub(crate) fn new(sectors: usize) -> Self {
        let zeroes = Write { sectors: 0..sectors, began: 0, ended: 0 };
        Self { now: 0, writes: vec![zeroes], happened: vec![0; sectors] }
    }

    /// The number of a write that begins. What it writes is [`stamped`] with it.
    pub(crate) fn write(&mut self, sectors: Range<usize>) -> usize {
        self.now += 1;
        self.writes.push(Write { sectors, began: self.now, ended: u64::MAX });
        self.writes.len() - 1
    }

    pub(crate) fn acknowledged(&mut self, number: usize) {
        self.now += 1;
        self.writes[number].ended = self.now;
        for sector in self.writes[number].sectors.clone() {
            self.happened[sector] = self.happened[sector].max(number);
        }
    }

    /// A read that begins.
    pub(crate) fn read(&self, sectors: Range<usize>) -> Read {
        Read { happened: self.happened[sectors.clone()].to_vec(), sectors }
    }

    /// Whether a read may end with these bytes. What it saw has happened, for whoever comes next.
    pub(crate) fn saw(&mut self, read: Read, bytes: &[u8]) -> Result<(), String> {
        assert_eq!(bytes.len(), read.sectors.len() * SECTOR);
        for ((sector, bytes), last) in read.sectors.zip(bytes.chunks(SECTOR)).zip(read.happened) {
            let number = self.author(sector, bytes);
            let number =
                number.ok_or_else(|| format!("nobody wrote what sector {sector} holds"))?;
            if self.writes[number].ended < self.writes[last].began {
                return Err(format!(
                    "sector {sector} holds write {number}, which was over when write {last} began, \
                     and that was acknowledged or read"
                ));
            }
            self.happened[sector] = self.happened[sector].max(number);
        }
        Ok(())
    }

    fn author(&self, sector: usize, bytes: &[u8]) -> Option<usize> {
        let number = bytes.first_chunk().map(|number| usize::from_le_bytes(*number))?;
        let all_of_it = match number {
            0 => bytes.iter().all(|&byte| byte == 0),
            _ => bytes == stamped(number, sector..sector + 1),
        };
        let wrote = self.writes.get(number)?.sectors.contains(&sector);
        (all_of_it && wrote).then_some(number)
    }
}

/// What a write with this number leaves in these sectors, each of which differs from every other.
pub(crate) fn stamped(number: usize, sectors: Range<usize>) -> Bytes {
    let stamp = |sector: usize| [number.to_le_bytes(), sector.to_le_bytes()].concat();
    sectors.flat_map(|sector| stamp(sector).repeat(SECTOR / 16)).collect()
}

fn a_register_notices_what_is_lost((): &()) {
    let mut register = Register::new(8);
    let lost = register.write(2..4);
    register.acknowledged(lost);
    let read = register.read(0..8);
    let said = "sector 2 holds write 0, which was over when write 1 began, and that was \
                acknowledged or read";
    assert_eq!(register.saw(read, &[0; 8 * SECTOR]), Err(said.into()));

    let later = register.write(3..4);
    register.acknowledged(later);
    let read = register.read(3..4);
    assert!(register.saw(read, &stamped(lost, 3..4)).is_err(), "it was overwritten");
    let read = register.read(3..4);
    assert_eq!(register.saw(read, &stamped(later, 3..4)), Ok(()));
}

fn a_register_bears_with_what_is_not_over((): &()) {
    let mut register = Register::new(1);
    // Neither is acknowledged before the read begins, and one never is.
    let (failed, late) = (register.write(0..1), register.write(0..1));
    let (zeroes, other) = (register.read(0..1), register.read(0..1));
    register.acknowledged(late);
    assert_eq!(register.saw(zeroes, &[0; SECTOR]), Ok(()), "that read began before");
    assert_eq!(register.saw(other, &stamped(late, 0..1)), Ok(()));
    let read = register.read(0..1);
    assert_eq!(register.saw(read, &stamped(failed, 0..1)), Ok(()), "it may have come last");
    let read = register.read(0..1);
    assert!(register.saw(read, &[0; SECTOR]).is_err(), "one of them has happened");

    let mut register = Register::new(1);
    let flying = register.write(0..1);
    let read = register.read(0..1);
    assert_eq!(register.saw(read, &stamped(flying, 0..1)), Ok(()));
    let read = register.read(0..1);
    assert!(register.saw(read, &[0; SECTOR]).is_err(), "what was seen does not go away");
}

fn a_register_knows_whose_bytes_they_are((): &()) {
    let mut register = Register::new(8);
    let number = register.write(0..4);
    register.acknowledged(number);
    let good = stamped(number, 0..1);
    for strange in [
        [&good[..511], &[1]].concat(),
        stamped(number, 1..2).to_vec(),
        stamped(number + 1, 0..1).to_vec(),
        vec![255; SECTOR],
    ] {
        let read = register.read(0..1);
        let said = "nobody wrote what sector 0 holds".to_owned();
        assert_eq!(register.saw(read, &strange), Err(said));
    }
    let read = register.read(4..5);
    assert!(register.saw(read, &stamped(number, 4..5)).is_err(), "it did not go so far");
}

/// In bytes.
pub(crate) const SECTOR: usize = 512;
