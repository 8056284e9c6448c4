//! The bytes of a file on a brick: blocks that are there, and holes.

use std::collections::BTreeMap;

/// A sparse file.
#[derive(Default)]
pub(super) struct Image {
    pub(super) bytes: u64,
    blocks: BTreeMap<u64, Block>,
}

/// What is there of a block. One that is absent is a hole.
enum Block {
    /// Space that was reserved: takes room, reads as zeroes, and a seek takes it for a hole.
    Reserved,
    /// Zeroes that were written.
    Zeroes,
    Bytes(Box<[u8]>),
}

impl Image {
    /// How many blocks it takes.
    pub(super) fn blocks(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// The bytes of the range that the file has.
    pub(super) fn read(&self, offset: u64, bytes: usize) -> Vec<u8> {
        let end = self.bytes.min(offset.saturating_add(bytes as u64));
        let mut read = vec![0; index(end.saturating_sub(offset))];
        for piece in pieces(offset, read.len() as u64) {
            if let Some(Block::Bytes(block)) = self.blocks.get(&piece.block) {
                read[piece.within()].copy_from_slice(&block[piece.start..piece.end]);
            }
        }
        read
    }

    /// Writes as much as there are free blocks for, and tells how much that is.
    pub(super) fn write(&mut self, offset: u64, data: &[u8], free: u64) -> usize {
        let most = self.blocks() + free;
        let mut written = 0;
        for piece in pieces(offset, data.len() as u64) {
            if !self.blocks.contains_key(&piece.block) && self.blocks() == most {
                break;
            }
            let block = self.blocks.entry(piece.block).or_insert(Block::Reserved);
            block.bytes()[piece.start..piece.end].copy_from_slice(&data[piece.within()]);
            written += piece.end - piece.start;
        }
        if written > 0 {
            self.bytes = self.bytes.max(offset + written as u64);
        }
        written
    }

    /// Writes all of it, whether or not there is space.
    pub(super) fn force(&mut self, offset: u64, data: &[u8]) {
        let written = self.write(offset, data, u64::MAX / 2);
        assert_eq!(written, data.len());
    }

    /// Makes the range zeroes that take space, as far as there are free blocks. Whether there were
    /// enough.
    pub(super) fn zero(&mut self, offset: u64, bytes: u64, free: u64) -> bool {
        let most = self.blocks() + free;
        for piece in pieces(offset, bytes) {
            if !self.blocks.contains_key(&piece.block) && self.blocks() == most {
                return false;
            }
            if piece.is_whole() {
                self.blocks.insert(piece.block, Block::Zeroes);
            } else {
                let block = self.blocks.entry(piece.block).or_insert(Block::Zeroes);
                block.clear(&piece);
            }
            self.bytes = self.bytes.max(piece.file_end());
        }
        true
    }

    /// Reserves space for the range and makes the file as long as its end. Whether there were enough
    /// free blocks; if not, nothing has changed.
    pub(super) fn allocate(&mut self, offset: u64, bytes: u64, free: u64) -> bool {
        let range = offset / BLOCK..(offset + bytes).div_ceil(BLOCK);
        let there = self.blocks.range(range.clone()).count() as u64;
        if range.end - range.start - there > free {
            return false;
        }
        for piece in pieces(offset, bytes) {
            self.blocks.entry(piece.block).or_insert(Block::Reserved);
        }
        self.bytes = self.bytes.max(offset + bytes);
        true
    }

    /// Gives the range's whole blocks back, and makes the rest of it zeroes. The length stays.
    pub(super) fn punch(&mut self, offset: u64, bytes: u64) {
        let end = self.bytes.next_multiple_of(BLOCK).min(offset.saturating_add(bytes));
        let there = self.blocks.range(offset / BLOCK..);
        let there: Vec<u64> = there.map(|(at, _)| *at).take_while(|at| at * BLOCK < end).collect();
        for at in there {
            let from = offset.max(at * BLOCK);
            for piece in pieces(from, end.min((at + 1) * BLOCK).saturating_sub(from)) {
                if piece.is_whole() {
                    self.blocks.remove(&at);
                } else if let Some(block) = self.blocks.get_mut(&at) {
                    block.clear(&piece);
                }
            }
        }
    }

    /// Cuts the file, or makes it longer by a hole.
    pub(super) fn truncate(&mut self, bytes: u64) {
        if bytes < self.bytes {
            self.punch(bytes, bytes.next_multiple_of(BLOCK) - bytes);
            self.blocks.split_off(&bytes.div_ceil(BLOCK));
        }
        self.bytes = bytes;
    }

    /// Where the next data begin.
    pub(super) fn next_data(&self, offset: u64) -> Option<u64> {
        let mut blocks = self.blocks.range(offset / BLOCK..).filter(|(_, block)| block.is_data());
        let at = blocks.next().map(|(at, _)| offset.max(at * BLOCK));
        at.filter(|at| *at < self.bytes)
    }

    /// Where the next hole begins; the end of the file is one.
    pub(super) fn next_hole(&self, offset: u64) -> Option<u64> {
        if offset >= self.bytes {
            return None;
        }
        let is_data = |at: &u64| self.blocks.get(at).is_some_and(Block::is_data);
        let hole = (offset / BLOCK..).find(|at| !is_data(at)).map(|at| offset.max(at * BLOCK));
        hole.map(|at| at.min(self.bytes))
    }
}

impl Block {
    fn is_data(&self) -> bool {
        !matches!(self, Self::Reserved)
    }

    /// As bytes that can be changed.
    fn bytes(&mut self) -> &mut [u8] {
        if !matches!(self, Self::Bytes(_)) {
            *self = Self::Bytes(vec![0; index(BLOCK)].into());
        }
        let Self::Bytes(bytes) = self else { unreachable!("it was made so") };
        bytes
    }

    fn clear(&mut self, piece: &Piece) {
        if let Self::Bytes(bytes) = self {
            bytes[piece.start..piece.end].fill(0);
        }
    }
}

/// The part of a range that lies in one block.
struct Piece {
    block: u64,
    start: usize,
    end: usize,
    /// Where in the range it is.
    at: usize,
}

impl Piece {
    fn is_whole(&self) -> bool {
        self.end - self.start == index(BLOCK)
    }

    fn within(&self) -> std::ops::Range<usize> {
        self.at..self.at + (self.end - self.start)
    }

    fn file_end(&self) -> u64 {
        self.block * BLOCK + self.end as u64
    }
}

fn pieces(offset: u64, bytes: u64) -> impl Iterator<Item = Piece> {
    let end = offset.saturating_add(bytes);
    let blocks = offset / BLOCK..end.div_ceil(BLOCK);
    blocks.filter(move |_| bytes > 0).map(move |block| {
        let (from, to) = (offset.max(block * BLOCK), end.min((block + 1) * BLOCK));
        let start = index(from - block * BLOCK);
        Piece { block, start, end: start + index(to - from), at: index(from - offset) }
    })
}

fn index(bytes: u64) -> usize {
    usize::try_from(bytes).expect("what is in memory can be counted")
}

/// What space is given out in.
pub(super) const BLOCK: u64 = 4096;
