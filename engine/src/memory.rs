//! A block device in memory, and the sparse image that holds its bytes.

use crate::{
    device::{BlockDevice, Extent, ExtentKind, Flags, IoFuture, Limits, Prealloc},
    errno::{Errno, Result},
};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    ops::Range,
    sync::{Arc, Mutex, MutexGuard},
};

/// A sparse run of bytes; what was never written reads as zeroes and takes no memory.
///
/// A clone shares its pages until one side writes to them.
#[derive(Clone, Debug, Default)]
pub struct Image {
    bytes: u64,
    pages: BTreeMap<u64, Arc<[u8]>>,
}

/// By what they hold, whichever of their zeroes take memory.
impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        let has = |a: &Self, b: &Self| {
            a.pages.iter().all(|(at, page)| match b.pages.get(at) {
                Some(other) => page == other,
                None => page.iter().all(|byte| *byte == 0),
            })
        };
        self.bytes == other.bytes && has(self, other) && has(other, self)
    }
}

impl Eq for Image {}

impl Image {
    /// An image of this length that holds zeroes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self { bytes, pages: BTreeMap::new() }
    }

    /// The length in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A copy of the range.
    ///
    /// # Panics
    /// If the range reaches beyond the end.
    #[must_use]
    pub fn read(&self, offset: u64, bytes: usize) -> Bytes {
        self.assert_inside(offset, bytes as u64);
        let mut data = Vec::with_capacity(bytes);
        for (page, within) in pieces(offset, bytes as u64) {
            match self.pages.get(&page) {
                Some(p) => data.extend_from_slice(&p[within]),
                None => data.resize(data.len() + within.len(), 0),
            }
        }
        data.into()
    }

    /// Replaces the range at `offset` by `data`.
    ///
    /// # Panics
    /// If the range reaches beyond the end.
    pub fn write(&mut self, offset: u64, data: &[u8]) {
        self.assert_inside(offset, data.len() as u64);
        let mut rest = data;
        for (page, within) in pieces(offset, data.len() as u64) {
            let (now, later) = rest.split_at(within.len());
            rest = later;
            match self.pages.entry(page) {
                Entry::Vacant(page) if now.len() == PAGE_BYTES => drop(page.insert(now.into())),
                page => {
                    let page = page.or_insert_with(|| ZEROES.as_slice().into());
                    Arc::make_mut(page)[within].copy_from_slice(now);
                }
            }
        }
    }

    /// Makes the range read as zeroes, giving back the memory of whole pages.
    ///
    /// # Panics
    /// If the range reaches beyond the end.
    pub fn zero(&mut self, offset: u64, bytes: u64) {
        self.assert_inside(offset, bytes);
        let touched: Vec<u64> = self.pages.range(pages(offset, bytes)).map(|(p, _)| *p).collect();
        for page in touched {
            let within = within(page, offset, bytes);
            if within.len() == PAGE_BYTES {
                self.pages.remove(&page);
            } else if let Some(p) = self.pages.get_mut(&page) {
                Arc::make_mut(p)[within].fill(0);
            }
        }
    }

    /// Changes the length; added bytes are zeroes.
    pub fn resize(&mut self, bytes: u64) {
        if bytes < self.bytes {
            self.zero(bytes, self.bytes - bytes);
            // The last page is zeroed, not removed, where the image ended inside it.
            self.pages.split_off(&bytes.div_ceil(PAGE_BYTES as u64));
        }
        self.bytes = bytes;
    }

    /// The pages that take memory, in order, with the offset of each.
    pub fn pages(&self) -> impl Iterator<Item = (u64, &[u8])> {
        self.pages.iter().map(|(page, data)| (page * PAGE_BYTES as u64, &data[..]))
    }

    /// Whether the start of a range takes memory, and for how long that stays so.
    fn status(&self, offset: u64, bytes: u64) -> Extent {
        let asked = pages(offset, bytes);
        if asked.is_empty() {
            return Extent { bytes: 0, kind: ExtentKind::Data };
        }
        let mut taken = self.pages.range(asked.clone()).map(|(page, _)| *page).peekable();
        let mut end = asked.start;
        while taken.next_if_eq(&end).is_some() {
            end += 1;
        }
        let kind = if end > asked.start { ExtentKind::Data } else { ExtentKind::Zero };
        if kind == ExtentKind::Zero {
            end = taken.next().unwrap_or(asked.end);
        }
        let end = (end.saturating_mul(PAGE_BYTES as u64)).min(offset + bytes);
        Extent { bytes: end - offset, kind }
    }

    fn assert_inside(&self, offset: u64, bytes: u64) {
        let end = offset.checked_add(bytes);
        assert!(end.is_some_and(|end| end <= self.bytes), "a request ends inside the image");
    }
}

/// The parts of a range, each inside one page: the page's number and the range within it.
fn pieces(offset: u64, bytes: u64) -> impl Iterator<Item = (u64, Range<usize>)> {
    pages(offset, bytes).map(move |page| (page, within(page, offset, bytes)))
}

/// The numbers of the pages that a range touches.
fn pages(offset: u64, bytes: u64) -> Range<u64> {
    let first = offset / PAGE_BYTES as u64;
    let end = if bytes == 0 { first } else { (offset + bytes).div_ceil(PAGE_BYTES as u64) };
    first..end
}

/// The part of a range that lies in a page which it touches.
fn within(page: u64, offset: u64, bytes: u64) -> Range<usize> {
    let start = page * PAGE_BYTES as u64;
    let part = |at: u64| usize::try_from(at - start).expect("inside a page");
    let end = (offset + bytes).min(start.saturating_add(PAGE_BYTES as u64));
    part(offset.max(start))..part(end)
}

/// Bytes that are kept or left out together.
const PAGE_BYTES: usize = 4096;
static ZEROES: [u8; PAGE_BYTES] = [0; PAGE_BYTES];

/// A block device in memory that answers at once. Nothing is lost but by dropping it.
#[derive(Debug)]
pub struct Memory {
    image: Mutex<Image>,
    limits: Limits,
}

impl Memory {
    /// A device of this length that holds zeroes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        Self::with_image(Image::new(bytes), Limits::NONE)
    }

    /// A device that holds `image` and answers for `limits`.
    #[must_use]
    pub fn with_image(image: Image, limits: Limits) -> Self {
        Self { image: Mutex::new(image), limits }
    }

    /// Has the device hold something else, of the same length or not.
    pub fn restore(&self, image: Image) {
        *self.image() = image;
    }

    /// What the device holds now.
    #[must_use]
    pub fn snapshot(&self) -> Image {
        self.image().clone()
    }

    fn image(&self) -> MutexGuard<'_, Image> {
        self.image.lock().expect("every range is checked before the image is touched")
    }

    /// Runs `act` on the image if the range lies inside it.
    fn on<T>(&self, offset: u64, bytes: u64, act: impl FnOnce(&mut Image) -> T) -> Result<T> {
        let mut image = self.image();
        let inside = offset.checked_add(bytes).is_some_and(|end| end <= image.bytes());
        if inside { Ok(act(&mut image)) } else { Err(Errno::EINVAL) }
    }
}

impl BlockDevice for Memory {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn length(&self) -> IoFuture<'_, u64> {
        Box::pin(async { Ok(self.image().bytes()) })
    }

    fn pread(&self, offset: u64, bytes: usize) -> IoFuture<'_, Bytes> {
        Box::pin(async move { self.on(offset, bytes as u64, |i| i.read(offset, bytes)) })
    }

    fn pwrite(&self, offset: u64, data: Bytes, _: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move { self.on(offset, data.len() as u64, |i| i.write(offset, &data)) })
    }

    fn pwrite_zeroes(&self, offset: u64, bytes: u64, _: Flags) -> IoFuture<'_, ()> {
        Box::pin(async move { self.on(offset, bytes, |i| i.zero(offset, bytes)) })
    }

    fn pdiscard(&self, offset: u64, bytes: u64) -> IoFuture<'_, ()> {
        self.pwrite_zeroes(offset, bytes, Flags::NONE)
    }

    fn flush(&self) -> IoFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn block_status(&self, offset: u64, bytes: u64) -> IoFuture<'_, Extent> {
        Box::pin(async move { self.on(offset, bytes, |i| i.status(offset, bytes)) })
    }

    fn truncate(&self, bytes: u64, _: Prealloc) -> IoFuture<'_, ()> {
        Box::pin(async move {
            self.image().resize(bytes);
            Ok(())
        })
    }

    fn close(&self) -> IoFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}
