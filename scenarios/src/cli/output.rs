//! Output that is whole or not there.

use super::error::CliError;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use tempfile::NamedTempFile;

/// A writer for which it is no error that nobody reads any more, as with `| head`.
pub(super) struct Quiet<W> {
    inner: W,
    closed: bool,
}

impl<W: Write> Quiet<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, closed: false }
    }

    fn unless_closed<T>(
        &mut self,
        instead: T,
        act: impl FnOnce(&mut W) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.closed {
            return Ok(instead);
        }
        match act(&mut self.inner) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(instead)
            }
            other => other,
        }
    }
}

impl<W: Write> Write for Quiet<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.unless_closed(data.len(), |inner| inner.write(data))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed((), Write::flush)
    }
}

/// A file that will be there as a whole, or not at all.
pub(super) struct Pending {
    to: To,
    path: PathBuf,
}

/// Where the content goes.
enum To {
    /// Into a new file, which then takes the place of the other.
    Place(NamedTempFile),
    /// Into what is no file, such as a pipe or a terminal: nothing may take its place.
    Through(File),
}

impl Pending {
    /// Makes sure that the file can be written, without touching one that is there.
    pub(super) fn new(path: &Path) -> Result<Self, CliError> {
        let failed = |source| CliError::Write { path: path.into(), source };
        if path.is_dir() || path.file_name().is_none() {
            return Err(failed(io::ErrorKind::IsADirectory.into()));
        }
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            let to = File::options().write(true).open(path).map(To::Through).map_err(failed)?;
            return Ok(Self { to, path: path.into() });
        }
        // Where there is a link, what it leads to is written.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.into());
        let to = beside(&path).map(To::Place).map_err(failed)?;
        Ok(Self { to, path })
    }

    /// Writes it, and puts it in its place.
    pub(super) fn write(self, content: &[u8]) -> Result<(), CliError> {
        let Self { to, path } = self;
        let written = match to {
            To::Place(mut file) => file
                .write_all(content)
                .and_then(|()| file.as_file().sync_all())
                .and_then(|()| Ok(file.persist(&path)?))
                .map(drop),
            To::Through(mut file) => file.write_all(content),
        };
        written.map_err(|source| CliError::Write { path, source })
    }
}

/// Whether a directory can take files: it is not made yet.
pub(super) fn probe_directory(path: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::Failures { path: path.into(), source };
    let there = path.ancestors().map(in_place).find(|path| path.exists());
    let there = there.unwrap_or(Path::new("."));
    if !there.is_dir() {
        return Err(failed(io::ErrorKind::NotADirectory.into()));
    }
    beside(&there.join("probe")).map(drop).map_err(failed)
}

/// Writes a file into a directory, which is made if there is none.
pub(super) fn save_in(directory: &Path, name: &str, content: &[u8]) -> Result<PathBuf, CliError> {
    let failed = |source| CliError::Failures { path: directory.into(), source };
    fs::create_dir_all(directory).map_err(failed)?;
    let path = directory.join(name);
    Pending::new(&path)?.write(content)?;
    Ok(path)
}

/// A temporary file in the same directory.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let directory = path.parent().map_or(Path::new("."), in_place);
    // Errors of this say why; those of the next line also name a file that nobody asked for.
    fs::read_dir(directory)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".quorate-");
    #[cfg(unix)]
    {
        use std::{fs::Permissions, os::unix::fs::PermissionsExt};
        builder.permissions(Permissions::from_mode(0o666));
    }
    builder.tempfile_in(directory)
}

/// The directory that an empty path stands for.
fn in_place(path: &Path) -> &Path {
    if path.as_os_str().is_empty() { Path::new(".") } else { path }
}
