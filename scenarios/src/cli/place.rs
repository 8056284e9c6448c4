//! Where the disks of a run are to be.

use super::{
    Host,
    args::{Env, PlaceArgs},
    error::CliError,
};
use crate::env::{Environment, EnvironmentError, Files, RealGluster, Simulated};
use quorate_glusterd::namespace;
use std::sync::Arc;

/// Where a command goes on.
pub(super) enum Place {
    /// In this process, on disks of this environment.
    Here(Arc<dyn Environment>),
    /// It was done in another process, with this exit code.
    Elsewhere(u8),
}

/// The environment that is asked for.
pub(super) fn only(env: Env, args: &PlaceArgs, host: &mut Host<'_>) -> Result<Place, CliError> {
    check(&[env], args)?;
    of(env, args, host)
}

/// Whether there is nothing to say of environments that nobody asks for.
pub(super) fn check(asked: &[Env], args: &PlaceArgs) -> Result<(), CliError> {
    if args.directory.is_some() && !asked.contains(&Env::Files) {
        return Err(CliError::NoDirectory);
    }
    if args.gluster.is_some() && !asked.contains(&Env::Gluster) {
        return Err(CliError::NoGluster);
    }
    Ok(())
}

/// One of the environments that are asked for.
pub(super) fn of(env: Env, args: &PlaceArgs, host: &mut Host<'_>) -> Result<Place, CliError> {
    Ok(Place::Here(match env {
        Env::Sim => Arc::new(Simulated { on_bricks: false }),
        Env::Bricks => Arc::new(Simulated { on_bricks: true }),
        Env::Files => {
            Arc::new(Files::below(args.directory.clone().unwrap_or_else(std::env::temp_dir)))
        }
        Env::Gluster => {
            let place = args.gluster.clone().unwrap_or(quorate_glusterd::Place::Namespace);
            if place == quorate_glusterd::Place::Namespace && !namespace::inside() {
                host.out.flush().map_err(CliError::Output)?;
                let again = host.arguments.clone().ok_or(quorate_glusterd::Error::Outside);
                let code = again.and_then(namespace::enter).map_err(EnvironmentError::from)?;
                return Ok(Place::Elsewhere(code));
            }
            Arc::new(RealGluster::start(place)?)
        }
    }))
}

impl Env {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Sim => "sim",
            Self::Bricks => "bricks",
            Self::Files => "files",
            Self::Gluster => "gluster",
        }
    }
}
