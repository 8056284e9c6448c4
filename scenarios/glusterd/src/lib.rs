//! A glusterd of one's own, and what can befall its bricks, for real.
//!
//! - `place`: where it runs, as people write it,
//! - `namespace`: beside this program in private namespaces, where nothing is shared with the machine,
//! - `container`: in a container of podman or docker, with their `image`,
//! - `existing`: a cluster that is there already, to which nothing is done,
//! - `shell`: how the first two are asked (`serve.sh` says what),
//! - `lifeline`: how all that is gone once this process is, however it ended; `owned` and `leftovers`: whose
//!   it was, and what is left all the same,
//! - `missing`: what the machine lacks, and how to get it; `error`.
//!
//! Of faults as data, of simulations and of scenarios it knows nothing: what is disturbed, and when, is
//! the caller's to say.

#![forbid(unsafe_code)]

mod container;
mod error;
mod existing;
pub mod image;
mod leftovers;
mod lifeline;
pub mod missing;
pub mod namespace;
mod owned;
mod place;
mod shell;

pub use error::Error;
pub use leftovers::{Leftover, leftovers};
pub use missing::Missing;
pub use place::{Host, Place, PlaceError};

use lifeline::Lifeline;
use shell::Shell;
use std::{
    collections::BTreeMap,
    fmt, iter,
    path::PathBuf,
    process,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// What one volume is to be like. It has one brick.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// Space of the brick's own, in bytes, so that it can be filled; in memory.
    pub space: Option<u64>,
    /// The volume's options, as `gluster volume set` takes them. Those of a cluster that is there already are
    /// what they are; it is refused to ask for more than is usual.
    pub options: BTreeMap<String, String>,
}

/// As tests want it: whoever hangs is given up after 4 s and not 84, and small files are read where they are.
impl Default for Wanted {
    fn default() -> Self {
        let option = |(name, value): (&str, &str)| (name.into(), value.into());
        let options = [("network.ping-timeout", "2"), ("performance.quick-read", "off")];
        Self { space: None, options: options.map(option).into() }
    }
}

/// What befalls a brick, or is undone again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// Its process is killed. One that is dead stays so.
    Kill,
    /// It is started, if it is dead. Clients are connected again about 3 s later.
    Start,
    /// Its process is stopped: requests hang, and fail once the ping timeout is over twice.
    Pause,
    /// It goes on.
    Resume,
    /// Its connections with clients are aborted; they are there again about 3 s later.
    Cut,
    /// Its space is used up. It needs space of its own.
    Fill,
    /// What used it up is taken away.
    Free,
    /// An option of its volume, such as those of gluster's own error-gen and delay-gen. What the brick
    /// itself does takes effect when it is started again.
    Set {
        /// Which.
        option: String,
        /// And how.
        value: String,
    },
    /// An option is again what it is where nobody sets it.
    Reset {
        /// Which.
        option: String,
    },
}

/// A glusterd with a volume for each child.
///
/// It ends with this value, and also if this process ends in any way.
#[derive(Debug)]
pub struct Glusterd {
    server: Server,
    volumes: Vec<Volume>,
    /// Those that nobody wants at the moment.
    spare: Vec<Volume>,
    /// How many volumes there were.
    made: u32,
    patience: Duration,
}

#[derive(Debug)]
struct Volume {
    name: String,
    wanted: Wanted,
    /// Whether the options were changed since.
    changed: AtomicBool,
    /// How often they were set anew.
    edition: u64,
}

#[derive(Debug)]
enum Server {
    /// What is ours to disturb.
    Own(Own),
    Existing(Host),
}

#[derive(Debug)]
struct Own {
    shell: Shell,
    host: String,
    /// Where the bricks are, as this process sees them.
    bricks: PathBuf,
    /// What ends the container, if it is in one.
    lifeline: Option<Lifeline>,
}

impl Glusterd {
    /// Starts it, or finds it, with a volume for each that is wanted.
    ///
    /// Each step may take as long as `patience`; making the image of the container, which is done once on a
    /// machine, takes minutes. In a namespace the glusterd is that of [`namespace::enter`].
    ///
    /// # Errors
    /// The machine lacks something; or what was started, or is there, does not do its part in time.
    pub fn start(place: &Place, wanted: &[Wanted], patience: Duration) -> Result<Self, Error> {
        let server = match place {
            Place::Namespace => Server::Own(namespace::own(patience)?),
            Place::Container => Server::Own(container::own(patience)?),
            Place::Host(host) => {
                let volumes = existing::volumes(host, wanted, patience)?;
                let server = Server::Existing(host.clone());
                return Ok(Self { server, volumes, spare: Vec::new(), made: 0, patience });
            }
        };
        let mut glusterd =
            Self { server, volumes: Vec::new(), spare: Vec::new(), made: 0, patience };
        glusterd.renew(wanted)?;
        Ok(glusterd)
    }

    /// Where libgfapi finds it.
    #[must_use]
    pub fn server(&self) -> (&str, u16) {
        match &self.server {
            Server::Own(own) => (&own.host, place::PORT),
            Server::Existing(host) => (&host.name, host.port),
        }
    }

    /// The name of volume number `n`.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn volume(&self, n: usize) -> &str {
        &self.volumes[n].name
    }

    /// How often the options of volume number `n` were set anew since it was made. Whoever was connected by then
    /// gets to know them in the background, and meanwhile goes by what they were: connect again.
    ///
    /// # Panics
    /// There is no such volume.
    #[must_use]
    pub fn edition(&self, n: usize) -> u64 {
        self.volumes[n].edition
    }

    /// Makes the volumes such as are wanted now, for whoever comes next: nothing of what befell them is left.
    /// Those that do are taken again, with the files in them, which are empty now: use other names.
    ///
    /// # Errors
    /// Gluster does not do so.
    pub fn renew(&mut self, wanted: &[Wanted]) -> Result<(), Error> {
        let own = match &self.server {
            Server::Own(own) => own,
            Server::Existing(host) => {
                self.volumes = existing::volumes(host, wanted, self.patience)?;
                return Ok(());
            }
        };
        self.spare.append(&mut self.volumes);
        for wanted in wanted {
            let same = |volume: &mut Volume| !*volume.changed.get_mut() && volume.wanted == *wanted;
            let fits = |volume: &mut Volume| volume.wanted.space == wanted.space;
            let volume = if let Some(volume) = take(&mut self.spare, same) {
                own.restore(&volume)?;
                volume
            } else if let Some(mut volume) = take(&mut self.spare, fits) {
                own.restore(&volume)?;
                own.set_all(&volume.name, &wanted.options)?;
                *volume.changed.get_mut() = false;
                volume.edition += 1;
                volume
            } else {
                self.made += 1;
                own.make(self.made, wanted)?
            };
            self.volumes.push(Volume { wanted: wanted.clone(), ..volume });
        }
        Ok(())
    }

    /// Has something befall the brick of volume number `n`.
    ///
    /// # Errors
    /// The cluster is not ours, or it did not come about.
    ///
    /// # Panics
    /// There is no such volume.
    pub fn disturb(&self, n: usize, what: &Disturbance) -> Result<(), Error> {
        let volume = &self.volumes[n];
        let own = match &self.server {
            Server::Own(own) => own,
            Server::Existing(host) => {
                return Err(Error::NotOurs { what: what.to_string(), host: host.to_string() });
            }
        };
        let name = &volume.name;
        if volume.wanted.space.is_none() && matches!(what, Disturbance::Fill | Disturbance::Free) {
            return Err(Error::NoSpaceOfItsOwn { volume: name.clone() });
        }
        let asked = match what {
            Disturbance::Kill => own.ask(&["kill_brick", name]),
            Disturbance::Start => own.ask(&["start", name]),
            Disturbance::Pause => own.ask(&["pause", name]),
            Disturbance::Resume => own.ask(&["resume", name]),
            Disturbance::Cut => own.ask(&["cut", name]),
            Disturbance::Fill => own.ask(&["fill", name]),
            Disturbance::Free => own.ask(&["free", name]),
            Disturbance::Set { option, value } => {
                volume.changed.store(true, Ordering::Relaxed);
                own.ask(&["set_option", name, option, value])
            }
            Disturbance::Reset { option } => {
                volume.changed.store(true, Ordering::Relaxed);
                own.ask(&["reset_option", name, option])
            }
        };
        asked.map(drop).map_err(|error| error.during(what, &volume.name))
    }

    /// Where the bytes of a file of volume number `n` can be read, and changed in place, if they are on this
    /// machine. A file that takes its place is another one, for gluster.
    ///
    /// # Panics
    /// There is no such volume.
    #[must_use]
    pub fn brick_file(&self, n: usize, path: &str) -> Option<PathBuf> {
        let Server::Own(own) = &self.server else { return None };
        Some(own.bricks.join(self.volume(n)).join("brick").join(path.trim_start_matches('/')))
    }
}

impl Drop for Glusterd {
    fn drop(&mut self) {
        if let Server::Own(own) = &self.server
            && own.lifeline.is_none()
        {
            for volume in self.volumes.iter().chain(&self.spare) {
                // What cannot be removed goes with the namespace.
                let _ = own.ask(&["remove", &volume.name]);
            }
        }
    }
}

impl Volume {
    fn new(name: String, wanted: Wanted) -> Self {
        Self { name, wanted, changed: AtomicBool::new(false), edition: 0 }
    }
}

impl Own {
    fn ask(&self, words: &[&str]) -> Result<String, Error> {
        self.shell.ask(words)
    }

    /// A volume whose name nobody else uses who shares this glusterd.
    fn make(&self, number: u32, wanted: &Wanted) -> Result<Volume, Error> {
        let name = format!("v{}-{}-{number}", process::id(), self.shell.number());
        let space = wanted.space.unwrap_or(0).to_string();
        let make = ["make", &name, &space].into_iter().chain(flat(&wanted.options));
        self.ask(&make.collect::<Vec<_>>())?;
        Ok(Volume::new(name, wanted.clone()))
    }

    fn set_all(&self, name: &str, options: &BTreeMap<String, String>) -> Result<(), Error> {
        self.ask(&["options", name].into_iter().chain(flat(options)).collect::<Vec<_>>()).map(drop)
    }

    fn restore(&self, volume: &Volume) -> Result<(), Error> {
        self.ask(&["restore", &volume.name]).map(drop)
    }
}

/// The first of these volumes, which is then no spare one any more.
fn take(spare: &mut Vec<Volume>, which: impl FnMut(&mut Volume) -> bool) -> Option<Volume> {
    let at = spare.iter_mut().position(which)?;
    Some(spare.remove(at))
}

fn flat(options: &BTreeMap<String, String>) -> impl Iterator<Item = &str> {
    options.iter().flat_map(|(name, value)| iter::once(&**name).chain(iter::once(&**value)))
}

/// What is done, such as "kill".
impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => f.write_str("kill"),
            Self::Start => f.write_str("start"),
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Cut => f.write_str("cut"),
            Self::Fill => f.write_str("fill"),
            Self::Free => f.write_str("free"),
            Self::Set { option, value } => write!(f, "set {option} to {value}"),
            Self::Reset { option } => write!(f, "reset {option}"),
        }
    }
}
