//! What the engine makes of a case.

use super::{
    Played, Step,
    case::{Case, Reads},
};
use crate::{
    bed::Bed,
    stage::{Outcome, Stage},
    task::Task,
};
use quorate_engine::{
    BlockDevice, Errno, Flags, Limits, Quorum,
    quorum::options::{Overlap, QuorumBuilder, ReadPattern},
};
use quorate_qemu::{Abilities, Request};

pub(super) fn play(case: &Case) -> Played {
    let stage = Stage::default();
    let count = case.children.len();
    let limits = Limits::from(Abilities::default());
    let children = (0..count).map(|child| stage.child_of(case.image(child), limits)).collect();
    let bed = Bed::over(stage, case.threshold, children, |options| with(options, case.reads));
    bed.stage.hold("");
    let mut played = Played::default();
    for turn in &case.turns {
        let mut script = turn.script();
        let mut task = Task::start(ask(&bed.array, &turn.request));
        let (mut step, mut waiting, mut verified) = (Step::default(), Vec::new(), true);
        loop {
            for line in bed.stage.take() {
                verified &= !line.starts_with("! q mismatch");
                let lines = if line.starts_with('!') { &mut step.lines } else { &mut waiting };
                lines.push(line);
            }
            if !waiting.is_empty() && !task.waits() {
                step.lines.push("answered".into());
            }
            let Some(at) = script.next(&waiting) else { break };
            let line = waiting.remove(at);
            // Whatever an earlier rule says of such a line.
            bed.stage.rule(&line, script.fault(&line).map_or(Outcome::Obeyed, Outcome::Failed));
            bed.stage.release(&line);
            step.lines.push(line);
            task.done();
        }
        let reply = task.done().expect("every child has answered");
        if verified {
            step.reply = Some(reply);
        } else {
            assert_eq!(reply, Err(Errno::EIO), "a verifier that finds a difference fails");
        }
        step.media = (0..count).map(|child| bed.stage.image(child)).collect();
        played.steps.push(step);
        if !verified {
            break;
        }
    }
    played
}

fn with(options: QuorumBuilder, reads: Reads) -> QuorumBuilder {
    let options = options.overlap(Overlap::Qemu);
    match reads {
        Reads::Voted => options,
        Reads::Rewriting => options.rewrite_corrupted(true),
        Reads::Fifo => options.read_pattern(ReadPattern::Fifo),
        Reads::Verifying => options.blkverify(true),
    }
}

async fn ask(array: &Quorum, request: &Request) -> Result<Vec<u8>, Errno> {
    let done = match request.clone() {
        Request::Read { offset, bytes } => {
            return array.pread(offset, bytes as usize).await.map(|data| data.to_vec());
        }
        Request::Write { offset, data, fua } => {
            array.pwrite(offset, data.into(), Flags { fua, ..Flags::NONE }).await
        }
        Request::Zeroes { offset, bytes, fua, may_unmap, no_fallback } => {
            let flags = Flags { fua, may_unmap, no_fallback };
            array.pwrite_zeroes(offset, bytes.into(), flags).await
        }
        Request::Discard { offset, bytes } => array.pdiscard(offset, bytes.into()).await,
        Request::Flush => array.flush().await,
        Request::Status { .. } => unreachable!("no case asks that"),
    };
    done.map(|()| Vec::new())
}
