//! `quorate exhaust`.

use super::{ExhaustArgs, Format, Host, describe, error::CliError, exit, jobs};
use crate::exhaust::{self, Difference, Exhaust, Proof, Subject, Unproved};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

mod text;

pub(super) fn exhaust(args: &ExhaustArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let subjects = match args.operations.is_empty() {
        false => args.operations.clone(),
        true => Subject::all().to_vec(),
    };
    let (children, jobs) = (args.children, jobs(args.jobs));
    if let Some(few) = args.operations.iter().find(|subject| subject.children_min() > children) {
        return Err(CliError::TooFewChildren { operation: few.word(), least: few.children_min() });
    }
    let exhaust = Exhaust { children, subjects, jobs, engine: None };
    let bar = bar(host.progress && args.format == Format::Text);
    host.catch_interrupt();
    let proof = exhaust::run(&exhaust, &host.stop, |done, of| {
        bar.set_length(of as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let (text, code) = match (proof, args.format) {
        (Ok(proof), format) => {
            let wrong = args.check.filter(|check| *check != proof.certificate);
            let code = if wrong.is_some() { exit::VIOLATED } else { exit::HELD };
            let text = match (format, wrong) {
                (Format::Json, None) => describe::json(&proof),
                (Format::Json, Some(check)) => {
                    describe::json(&json!({ "expected": check, "proof": proof }))
                }
                (Format::Text, None) => text::proof(&proof, host.colour),
                (Format::Text, Some(check)) => {
                    let end = format!(
                        "\nthe certificate should be {check}: the engine does something else, or \
                         something else was gone through\n"
                    );
                    text::proof(&proof, host.colour) + &end
                }
            };
            (text, code)
        }
        (Err(Unproved::Differs(difference)), format) => {
            let text = match format {
                Format::Json => describe::json(&json!({ "difference": difference })),
                Format::Text => text::difference(&difference, host.colour),
            };
            (text, exit::VIOLATED)
        }
        (Err(Unproved::Interrupted), Format::Json) => {
            (describe::json(&json!({ "interrupted": true })), exit::INTERRUPTED)
        }
        (Err(Unproved::Interrupted), Format::Text) => {
            ("interrupted: no certificate, and no difference so far\n".into(), exit::INTERRUPTED)
        }
    };
    host.out.write_all(text.as_bytes()).map_err(CliError::Output)?;
    Ok(code)
}

fn bar(watched: bool) -> ProgressBar {
    let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = "{bar:30} {human_pos}/{human_len} parts, {elapsed}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    ProgressBar::with_draw_target(None, target).with_style(style)
}
