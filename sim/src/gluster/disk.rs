//! The disk of a brick: its files, and how much fits.

use super::{
    image::{BLOCK, Image},
    wire::{Given, Opened, What},
};
use bytes::Bytes;
use quorate_engine::{
    Errno, Result,
    gluster::api::{Seek, Stat},
};
use std::collections::BTreeMap;

/// What is on it outlives the brick's process: whatever the process has written, the host's page cache
/// keeps.
pub(super) struct Disk {
    /// Which file has which path. A directory is there as long as a file is in it.
    paths: BTreeMap<String, u64>,
    files: BTreeMap<u64, Image>,
    made: u64,
    /// How many blocks there are, and what is said when they are used up.
    limit: (u64, Errno),
}

impl Disk {
    pub(super) fn new(bytes: u64) -> Self {
        let limit = (bytes / BLOCK, Errno::ENOSPC);
        Self { paths: BTreeMap::new(), files: BTreeMap::new(), made: 0, limit }
    }

    pub(super) fn limit(&mut self, bytes: u64, errno: Errno) {
        self.limit = (bytes / BLOCK, errno);
    }

    /// How much is taken.
    pub(super) fn used(&self) -> u64 {
        self.files.values().map(Image::blocks).sum::<u64>() * BLOCK
    }

    pub(super) fn open(&self, path: &str) -> Result<Given> {
        self.find(path)?.map(Given::File).ok_or(Errno::ENOENT)
    }

    /// Makes the file, or empties it.
    pub(super) fn create(&mut self, path: &str) -> Result<Given> {
        let file = match self.find(path)? {
            Some(file) => file,
            None if !self.has_parent(path) => return Err(Errno::ENOENT),
            None => self.make(path),
        };
        self.files.insert(file, Image::default());
        self.open(path)
    }

    pub(super) fn ask(&mut self, opened: Opened, what: &What) -> Result<Given> {
        let writes = !matches!(
            what,
            What::Read { .. } | What::Seek { .. } | What::Stat | What::Sync | What::Flush
        );
        if writes && !opened.access.write {
            return Err(Errno::EBADF);
        }
        let (full, free) = (self.limit.1, self.free());
        let image = self.files.get_mut(&opened.file).ok_or(Errno::EBADFD)?;
        let count = |done: bool| if done { Ok(Given::Count(0)) } else { Err(full) };
        match what {
            What::Read { offset, bytes } => {
                aligned(opened, *offset, *bytes as u64)?;
                Ok(Given::Data(image.read(*offset, *bytes).into(), image.stat()))
            }
            What::Write { offset, data } => {
                let bytes = data.len() as u64;
                aligned(opened, *offset, bytes)?;
                possible(*offset, bytes)?;
                match image.write(*offset, data, free) {
                    0 => Err(full),
                    written => Ok(Given::Count(written as u64)),
                }
            }
            What::Zerofill { offset, bytes } => {
                possible(*offset, *bytes)?;
                count(image.zero(*offset, *bytes, free))
            }
            // Digging a hole takes space, too.
            What::Discard { .. } if free == 0 => Err(full),
            What::Discard { offset, bytes } => {
                image.punch(*offset, *bytes);
                count(true)
            }
            What::Truncate { bytes } => {
                possible(*bytes, 0)?;
                image.truncate(*bytes);
                count(true)
            }
            What::Allocate { offset, bytes } => {
                possible(*offset, *bytes)?;
                count(image.allocate(*offset, *bytes, free))
            }
            What::Seek { offset, what } => {
                let found = match what {
                    Seek::Data => image.next_data(*offset),
                    Seek::Hole => image.next_hole(*offset),
                };
                found.map(Given::Count).ok_or(Errno::ENXIO)
            }
            What::Stat => Ok(Given::Stat(image.stat())),
            What::Sync | What::Flush => count(true),
        }
    }

    /// The whole file, as it is on the brick.
    pub(super) fn contents(&self, path: &str) -> Option<Bytes> {
        let image = &self.files[&self.find(path).ok()??];
        let bytes = usize::try_from(image.bytes).expect("somebody wants it in memory");
        Some(image.read(0, bytes).into())
    }

    /// Changes a file behind gluster's back, whatever the brick's capacity. Whether there is one.
    pub(super) fn meddle(&mut self, path: &str, change: impl FnOnce(&mut Image)) -> bool {
        let file = self.find(path).ok().flatten();
        file.and_then(|file| self.files.get_mut(&file)).map(change).is_some()
    }

    /// Makes a file behind gluster's back, and the directories that it is in.
    pub(super) fn put(&mut self, path: &str, contents: &[u8]) {
        let file = self.find(path).ok().flatten().unwrap_or_else(|| self.make(path));
        let mut image = Image::default();
        image.force(0, contents);
        self.files.insert(file, image);
    }

    /// Takes everything away.
    pub(super) fn clear(&mut self) {
        self.paths.clear();
        self.files.clear();
    }

    fn free(&self) -> u64 {
        self.limit.0.saturating_sub(self.used() / BLOCK)
    }

    fn make(&mut self, path: &str) -> u64 {
        self.made += 1;
        self.paths.insert(plain(path).join("/"), self.made);
        self.made
    }

    fn find(&self, path: &str) -> Result<Option<u64>> {
        let names = plain(path);
        if path.is_empty() {
            return Err(Errno::EINVAL);
        }
        if names.iter().any(|name| name.len() > NAME_MAX) {
            return Err(Errno::ENAMETOOLONG);
        }
        let through = (1..names.len()).any(|n| self.paths.contains_key(&names[..n].join("/")));
        if through {
            return Err(Errno::ENOTDIR);
        }
        let path = names.join("/");
        if names.is_empty() || self.is_directory(&path) {
            return Err(Errno::EISDIR);
        }
        Ok(self.paths.get(&path).copied())
    }

    fn has_parent(&self, path: &str) -> bool {
        let mut names = plain(path);
        names.pop();
        names.is_empty() || self.is_directory(&names.join("/"))
    }

    fn is_directory(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.paths.range(below.clone()..).next().is_some_and(|(other, _)| other.starts_with(&below))
    }
}

impl Image {
    fn stat(&self) -> Stat {
        Stat { bytes: self.bytes, allocated: self.blocks() * BLOCK }
    }
}

/// The names of a path. It cannot leave the volume.
fn plain(path: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop();
            }
            name => names.push(name),
        }
    }
    names
}

/// What goes past the page cache goes in whole sectors.
fn aligned(opened: Opened, offset: u64, bytes: u64) -> Result<()> {
    let whole = offset.is_multiple_of(SECTOR) && bytes.is_multiple_of(SECTOR);
    if opened.access.direct && !whole { Err(Errno::EINVAL) } else { Ok(()) }
}

/// Whether a file of the brick's file system can go so far.
fn possible(offset: u64, bytes: u64) -> Result<()> {
    let end = offset.checked_add(bytes);
    if end.is_some_and(|end| end <= FILE_MAX) { Ok(()) } else { Err(Errno::EFBIG) }
}

const SECTOR: u64 = 512;
const NAME_MAX: usize = 255;

/// The longest file, as on ext4.
const FILE_MAX: u64 = (16 << 40) - BLOCK;
