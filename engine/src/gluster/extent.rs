//! Where data and holes are, as far as a seek can be believed.
//!
//! As find_allocation of QEMU's driver, but that an answer is checked on both sides. Libgfapi's seeks
//! have been seen to answer with places before the start, behind the end, and anything in between.

use super::{
    api::{File, Seek},
    done,
};
use crate::{
    device::{Extent, ExtentKind},
    errno::Errno,
};

/// What begins at `offset` of a file that ends at `end`, and how far it goes. What is not known is
/// data.
pub(super) async fn status(file: &dyn File, offset: u64, bytes: u64, end: u64) -> Extent {
    let data = |bytes| Extent { bytes, kind: ExtentKind::Data };
    match done::place(file.seek(offset, Seek::Data).await) {
        // A hole up to the end.
        Err(Errno::ENXIO) => Extent { bytes, kind: ExtentKind::Zero },
        Ok(next) if next > offset && next < end => {
            Extent { bytes: bytes.min(next - offset), kind: ExtentKind::Zero }
        }
        Ok(next) if next == offset => {
            match done::place(file.seek(offset, Seek::Hole).await) {
                Ok(hole) if hole > offset => data(bytes.min(hole - offset)),
                // Somebody has dug a hole meanwhile, or the answer cannot be right.
                _ => data(bytes),
            }
        }
        _ => data(bytes),
    }
}

/// Whether a file tells holes from data. A library that cannot answers with where it stands.
pub(super) async fn seeks(file: &dyn File, end: u64) -> bool {
    done::place(file.seek(end, Seek::Data).await) == Err(Errno::ENXIO)
}

/// The extent in blocks of so many bytes: one that is a hole in part only is data.
pub(super) fn aligned(extent: Extent, bytes: u64, alignment: u64) -> Extent {
    let blocks = extent.bytes / alignment * alignment;
    match extent.kind {
        ExtentKind::Zero if extent.bytes == bytes => extent,
        ExtentKind::Zero if blocks > 0 => Extent { bytes: blocks, ..extent },
        _ => Extent {
            bytes: extent.bytes.next_multiple_of(alignment).min(bytes),
            kind: ExtentKind::Data,
        },
    }
}
