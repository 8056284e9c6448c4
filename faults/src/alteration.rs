//! What a fault alters, with nothing left to chance: the concrete form of a firing.

use crate::fault::Heal;
use quorate_engine::ExtentKind;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A change of data, medium or answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alteration {
    /// Bits of a reply, or of the data of a write on their way, are inverted.
    Flip(Vec<Flip>),
    /// Bits of the medium are inverted from now on.
    Rot {
        /// Which.
        flips: Vec<Flip>,
        /// What puts them right.
        heal: Heal,
    },
    /// Bytes of a read come from another place, or those of a write go there.
    Misdirect {
        /// The bytes that the operation is about.
        range: Range<u64>,
        /// Where the place begins.
        to: u64,
    },
    /// A reply holds what was there some writes ago.
    Stale {
        /// The bytes that are old.
        range: Range<u64>,
        /// How many writes to go back.
        versions: u64,
    },
    /// A reply holds zeroes.
    Zero {
        /// The bytes that are zeroes.
        range: Range<u64>,
    },
    /// A reply ends early.
    Short {
        /// After so many bytes.
        bytes: u64,
    },
    /// A length query answers this.
    Length {
        /// The length.
        bytes: u64,
    },
    /// A status query answers this kind.
    Kind(ExtentKind),
}

/// A byte of the device and the bits of it that are inverted.
///
/// In a file it is a list of the two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(u64, u8)", into = "(u64, u8)")]
pub struct Flip {
    /// The byte, as an offset on the device.
    pub at: u64,
    /// Its bits that are inverted.
    pub mask: u8,
}

impl From<(u64, u8)> for Flip {
    fn from((at, mask): (u64, u8)) -> Self {
        Self { at, mask }
    }
}

impl From<Flip> for (u64, u8) {
    fn from(flip: Flip) -> Self {
        (flip.at, flip.mask)
    }
}
