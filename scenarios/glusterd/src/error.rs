//! Why there is no glusterd, or it does not do as it is told, with a remedy.

use crate::{Disturbance, Missing};
use std::{io, path::PathBuf, time::Duration};
use thiserror::Error;

/// Why there is no glusterd, or it does not do as it is told.
#[derive(Debug, Error)]
pub enum Error {
    /// The machine lacks something.
    #[error("{}", crate::missing::sentence(.0).unwrap_or_default())]
    Missing(Vec<Missing>),
    /// Another program is needed around this one.
    #[error("this process is not in the namespace of a glusterd")]
    Outside,
    /// A process cannot be started.
    #[error("cannot start {program}: {source}")]
    Process {
        /// Which.
        program: String,
        /// Why.
        source: io::Error,
    },
    /// A directory for bricks cannot be made.
    #[error("cannot make the directory '{}' for bricks: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The container does not run.
    #[error("{tool} does not run the container: {said}")]
    Container {
        /// podman or docker.
        tool: &'static str,
        /// Its own words.
        said: String,
    },
    /// There is no image, and none can be made.
    #[error("the image {} cannot be made with {tool}: {said}", crate::image::NAME)]
    Image {
        /// podman or docker.
        tool: &'static str,
        /// The last words.
        said: String,
    },
    /// glusterd does not answer.
    #[error("glusterd does not do '{asked}' within {patience:?}")]
    Silent {
        /// What it was asked.
        asked: String,
        /// How long it was waited for.
        patience: Duration,
    },
    /// glusterd is gone.
    #[error("glusterd is gone: it was asked to do '{asked}', and said {said:?}")]
    Gone {
        /// What it was asked.
        asked: String,
        /// The last words.
        said: String,
    },
    /// glusterd or the system refuses.
    #[error("glusterd does not do '{asked}': {said}")]
    Refused {
        /// What it was asked.
        asked: String,
        /// Its own words.
        said: String,
    },
    /// A disturbance did not come about.
    #[error("cannot {what} the brick of the volume {volume}: {said}")]
    Undisturbed {
        /// Which disturbance.
        what: String,
        /// Of which volume.
        volume: String,
        /// Why.
        said: String,
    },
    /// A brick that would fill the machine's disk.
    #[error("the brick of the volume {volume} has no space of its own that could be used up")]
    NoSpaceOfItsOwn {
        /// Which volume.
        volume: String,
    },
    /// A cluster that others may use.
    #[error("cannot {what} a brick of {host}: that cluster is not ours to disturb")]
    NotOurs {
        /// What.
        what: String,
        /// Whose.
        host: String,
    },
    /// A cluster that is not there.
    #[error("there is no glusterd to be reached: {said}")]
    Unreachable {
        /// What was tried.
        said: String,
    },
    /// A volume that is not there.
    #[error("{host} has no volume '{volume}' that is started: {said}")]
    NoVolume {
        /// Where.
        host: String,
        /// Which.
        volume: String,
        /// More of it.
        said: String,
    },
    /// Too few volumes are named.
    #[error("{wanted} volumes of {host} are needed, and {named} are named")]
    TooFewVolumes {
        /// Where.
        host: String,
        /// One for each child.
        wanted: usize,
        /// So many are there.
        named: usize,
    },
    /// A volume that somebody else has set up.
    #[error("the volumes of {host} are as they are: they get no options and no space of their own")]
    AsTheyAre {
        /// Where.
        host: String,
    },
}

impl Error {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> String {
        let text = match self {
            Self::Missing(missing) => return crate::missing::remedies(missing),
            Self::Image { .. } => return IMAGE.into(),
            Self::TooFewVolumes { wanted, .. } => {
                return format!("name {wanted}, or none, for quorate-0, quorate-1 and so on");
            }
            Self::NoVolume { volume, .. } => {
                return format!(
                    "create it there with one brick and start it: gluster volume create {volume} \
                     HOST:/DIRECTORY, gluster volume start {volume}"
                );
            }
            Self::Outside => "let namespace::enter run the program in one",
            Self::Process { .. } => {
                "see to it that it is installed and that there is room for processes"
            }
            Self::Directory { .. } => "set TMPDIR to a directory with room, where you may write",
            Self::Container { .. } => {
                "try it by hand: run an image of your own with --privileged; if only one runtime of podman works, \
                 such as runc, name it in containers.conf; or use --gluster namespace"
            }
            Self::Silent { .. } => "give it more time, or see what else the machine is doing",
            Self::Gone { .. } => {
                "start again; if it is gone again, look for glusterd and oom in the system's log"
            }
            Self::Refused { .. } => "its own words say why; what was started is removed again",
            Self::Undisturbed { .. } => "disturb a brick that runs, or start it first",
            Self::NoSpaceOfItsOwn { .. } => "ask for a volume with space of its own",
            Self::NotOurs { .. } | Self::AsTheyAre { .. } => {
                "use a glusterd of your own: --gluster namespace or --gluster container"
            }
            Self::Unreachable { .. } => {
                "see to it that glusterd runs there and that no firewall drops port 24007, or use \
                 --gluster namespace or --gluster container"
            }
        };
        text.into()
    }

    /// What was refused was this disturbance.
    pub(crate) fn during(self, what: &Disturbance, volume: &str) -> Self {
        match self {
            Self::Refused { said, .. } => {
                Self::Undisturbed { what: what.to_string(), volume: volume.into(), said }
            }
            other => other,
        }
    }
}

const IMAGE: &str = "\
    give it a registry, or install mmdebstrap (Debian: apt-get install mmdebstrap) and run `quorate doctor \
    --image`, or scenarios/glusterd/image of the sources, which shows everything";
