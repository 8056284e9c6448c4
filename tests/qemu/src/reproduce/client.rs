//! What QEMU's NBD client does below an array: in all of these the array is only there to ask.

use crate::{Finding, tell};
use quorate_qemu::{Answer, Child, Daemon, Error, Program, Request};
use serde_json::json;

pub(crate) const FINDINGS: [Finding; 1] = [Finding {
    id: "D14",
    title: "the answer to a request is kept until a later one at the same NBD child is answered, too",
    ours: "an answer is handed on when it comes",
    scenarios: &["read-waits-for-the-slowest-child"],
    show: kept_answer,
}];

/// A child that answers writes when it is told to.
struct Slow;

impl Child for Slow {
    fn bytes(&self) -> u64 {
        8192
    }

    fn answer(&mut self, request: &Request) -> Answer {
        match request {
            Request::Write { .. } => Answer::Later,
            _ => Answer::Now(Ok(Vec::new())),
        }
    }
}

fn kept_answer(program: &Program) -> Result<bool, Error> {
    let mut daemon = Daemon::start(program)?;
    let options = json!({"driver": "quorum", "node-name": "q", "vote-threshold": 1});
    let client = daemon.open(&options, [("c0".to_owned(), Slow)])?;
    tell("  q is a quorum over one NBD child, c0, which answers writes when it is told to");
    let write = |offset| Request::Write { offset, data: vec![b'A'; 512], fua: false };
    let alone = daemon.submit(client, &write(0))?;
    daemon.rest()?;
    daemon.release(0, &Ok(Vec::new()))?;
    daemon.rest()?;
    let at_once = daemon.reply(alone).is_some();
    tell(&format!("  one write, which c0 answers: {}", came(at_once)));
    let (first, second) = (daemon.submit(client, &write(0))?, daemon.submit(client, &write(4096))?);
    daemon.until_held(2)?;
    daemon.release(0, &Ok(Vec::new()))?;
    daemon.rest()?;
    let early = daemon.reply(first).is_some();
    tell(&format!("  two writes at once, of which c0 answers the first: {}", came(early)));
    daemon.release(0, &Ok(Vec::new()))?;
    daemon.rest()?;
    let late = !early && daemon.reply(first).is_some() && daemon.reply(second).is_some();
    tell(&format!(
        "  c0 answers the second: {}",
        if late { "both answers are there" } else { "they are not both there" }
    ));
    Ok(at_once && late)
}

fn came(there: bool) -> &'static str {
    if there { "its answer is there" } else { "there is no answer, and QEMU sleeps" }
}
