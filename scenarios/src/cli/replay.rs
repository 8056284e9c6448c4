//! `quorate replay`.

use super::{Host, ReplayArgs, describe, error::CliError, exit, failure, run, target};
use crate::fuzz::attempt;
use quorate_reports::{Verdict, timeline};

pub(super) fn replay(args: &ReplayArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let target::Target { scenario, token } = target::resolve(&args.run, None)?;
    run::warn(&scenario, host)?;
    let run = attempt::run_within(&scenario, &token, None, args.watchdog);
    let mut text = String::new();
    if run.verdict != Verdict::Held {
        text += &timeline::render(&run, host.colour);
        text.push('\n');
        text += &failure::card_below_timeline(&run, &scenario, host, &token);
        text.push('\n');
    } else {
        text += &describe::drawn(&scenario);
    }
    text += &describe::verdict_line(&run, host.colour);
    let mut code = describe::exit_code(run.verdict);
    if let Some(digest) = args.check_digest.filter(|digest| *digest != run.trace.digest) {
        text += &format!(
            "the digest should be {digest}: the run is another one. Seeds are promised for one \
             commit only, files for all\n"
        );
        code = exit::VIOLATED;
    }
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(code)
}
