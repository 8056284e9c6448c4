//! `quorate diff`.

use super::{
    DiffArgs, Host,
    args::Layer,
    error::CliError,
    exit, jobs,
    target::{self, Target},
    values,
};
use crate::{
    catalog,
    diff::{Both, NotCompared, Pace, Tally, Twin},
    fuzz::{self, Failed, Fuzz, Observer, OnFailure, Source},
    runner::Scratch,
};
use quorate_qemu::Program;
use quorate_reports::thousands;
use std::{sync::Arc, time::Duration};

pub(super) fn diff(args: &DiffArgs, host: &mut Host<'_>) -> Result<u8, CliError> {
    let program = match &args.qemu {
        Some(directory) => Program::find_in(directory)?,
        None => Program::find()?,
    };
    for &layer in &args.layer {
        let pace = match layer {
            Layer::Ordered => Pace::Ordered,
            Layer::Fast => Pace::Fast,
        };
        let twin = Arc::new(Twin::new(&program, pace));
        if args.scenario.is_empty() {
            let sources = catalog::all()
                .filter(|scenario| scenario.random.is_some())
                .map(|scenario| Source { name: scenario.name.clone(), scenario })
                .collect();
            let seeds = match (&args.seeds, args.time) {
                (Some(values::Seeds(seeds)), _) => seeds.clone(),
                (None, Some(_)) => 0..u64::MAX,
                (None, None) => 0..1000,
            };
            let fuzz = Fuzz {
                sources,
                seeds,
                time: args.time,
                jobs: jobs(args.jobs),
                shard: "1/1".to_owned().try_into().unwrap(),
                on_failure: if args.keep_going { OnFailure::KeepGoing } else { OnFailure::Stop },
                failures_max: 100,
                watchdog: Duration::from_secs(60),
                samples: 0,
                engine: None,
                judge: Some(twin.clone()),
            };
            host.catch_interrupt();
            let stop = host.stop.clone();
            let mut screen = Screen { out: host.out };
            let outcome = fuzz::run(fuzz, &stop, &mut screen);
            let secs = outcome.summary.elapsed.as_secs_f64();
            let t = twin.tally();
            writeln!(
                host.out,
                "{t:?}\n{:.0} cases/s {:.0} requests/s",
                t.cases as f64 / secs,
                t.requests as f64 / secs
            )
            .unwrap();
        }
        for name in &args.scenario {
            let Target { scenario, token } = target::resolve(name, None)?;
            match twin.compare(&scenario, &mut Scratch::default()) {
                Ok(Both { violation: None, known, .. }) => {
                    writeln!(host.out, "{token} same {known:?}")
                }
                Ok(Both { violation: Some(v), ours, theirs, .. }) => {
                    for (side, run) in [("ours", ours), ("QEMU", theirs)] {
                        let r = quorate_reports::Run {
                            trace: run.trace,
                            ..crate::fuzz::attempt::without_trace(
                                &scenario,
                                side,
                                quorate_reports::Verdict::Held,
                                String::new(),
                            )
                        };
                        writeln!(
                            host.out,
                            "{}",
                            quorate_reports::timeline::render(&r, host.colour)
                        )
                        .unwrap();
                    }
                    writeln!(host.out, "{token} DIFFERS {}: {}", v.check, v.reason)
                }
                Err(NotCompared::Unsuited(why)) => writeln!(host.out, "{token} left out: {why}"),
                Err(NotCompared::Qemu(error)) => writeln!(host.out, "{token} qemu: {error}"),
                Err(NotCompared::Broken(_, why)) => writeln!(host.out, "{token} broken: {why}"),
            }
            .map_err(CliError::Output)?;
        }
    }
    Ok(exit::HELD)
}

struct Screen<'a> {
    out: &'a mut dyn std::io::Write,
}

impl Observer for Screen<'_> {
    fn progressed(&mut self, _: u64, _: u64) {}
    fn failed(&mut self, failed: &Failed) -> Option<String> {
        let v = &failed.run.violations[0];
        let _ = writeln!(self.out, "{} {}: {}", failed.token, v.check, v.reason);
        None
    }
}
