//! What the digest of a run covers, and what it leaves out.

use crate::reports::story::{bad, firing, good, rotten, three_requests};
use quorate_engine::{Errno, Event, Flags, Image, NodeName, OpType, Sectors};
use quorate_faults::rule::OpKind;
use quorate_reports::{
    Answer, Digest, Entry, GuestOp, Outcome, Recorder, RequestId, What,
    trace::{Change, ChildCall, Payload},
};

fn digest(entries: &[Entry], media: &[Image]) -> Digest {
    let mut recorder = Recorder::default();
    for Entry { at, request, what } in entries {
        recorder.push(*at, *request, what.clone());
    }
    recorder.finish(media).digest
}

fn of_one(what: What) -> Digest {
    digest(&[Entry { at: 5, request: None, what }], &[])
}

#[test]
fn digest_is_that_of_the_same_entries() {
    let run = three_requests();
    assert_eq!(digest(&run.trace.entries, &run.media), run.trace.digest);
}

#[test]
fn digest_leaves_out_rules_and_controls() {
    let run = three_requests();
    let mut entries = run.trace.entries.clone();
    for entry in &mut entries {
        match &mut entry.what {
            What::Injected { firing, .. } => firing.rule = "another".into(),
            What::Control(step) => step.push_str(", please"),
            _ => {}
        }
    }
    assert_eq!(digest(&entries, &run.media), run.trace.digest);
    entries.retain(|e| !matches!(e.what, What::Injected { .. } | What::Control(_)));
    entries.push(Entry {
        at: 0,
        request: None,
        what: What::Injected { child: 0, ordinal: 1, firing: firing("x", "torn", None).into() },
    });
    assert_eq!(digest(&entries, &run.media), run.trace.digest);
}

#[test]
fn digest_covers_time_request_and_order_of_every_entry() {
    let run = three_requests();
    let entries = &run.trace.entries;
    let covered = |e: &Entry| !matches!(e.what, What::Injected { .. } | What::Control(_));
    for at in (0..entries.len()).filter(|at| covered(&entries[*at])) {
        let differs = |change: &dyn Fn(&mut Vec<Entry>)| {
            let mut entries = entries.clone();
            change(&mut entries);
            assert_ne!(digest(&entries, &run.media), run.trace.digest, "entry {at}");
        };
        differs(&|e| e[at].at += 1);
        differs(&|e| e[at].request = None);
        differs(&|e| e[at].request = Some(RequestId { client: 0, step: 99 }));
        differs(&|e| e[at].request = Some(RequestId { client: 9, step: 0 }));
        differs(&|e| drop(e.remove(at)));
        differs(&|e| e.insert(at, e[at].clone()));
    }
}

#[test]
fn digest_covers_the_final_media() {
    let run = three_requests();
    let with = |change: &dyn Fn(&mut Vec<Image>)| {
        let mut media = run.media.clone();
        change(&mut media);
        digest(&run.trace.entries, &media)
    };
    assert_ne!(with(&|m| m[1].write(70_000, &[1])), run.trace.digest);
    assert_ne!(with(&|m| m[1] = Image::new(4096)), run.trace.digest);
    assert_ne!(with(&|m| drop(m.pop())), run.trace.digest);
    let of_child = |child: usize| with(&|m| m[child].write(0, &[1]));
    assert_ne!(of_child(0), of_child(1));
    // Written zeroes are zeroes.
    assert_eq!(with(&|m| m[1].write(70_000, &[0; 512])), run.trace.digest);
}

#[test]
fn digest_tells_every_field_apart() {
    let fua = Flags::FUA;
    let unmap = Flags { may_unmap: true, ..Flags::NONE };
    let strict = Flags { no_fallback: true, ..Flags::NONE };
    let write = |data, flags| What::Invoke(GuestOp::Write { offset: 0, data, flags });
    let zero = |flags| What::Invoke(GuestOp::WriteZeroes { offset: 0, bytes: 1024, flags });
    let done = |r| What::Complete(Outcome::Done(r));
    let name = |text: &str| NodeName::from(text);
    let mut all = vec![
        write(good(), Flags::NONE),
        write(rotten(), Flags::NONE),
        write(good(), fua),
        zero(Flags::NONE),
        zero(fua),
        zero(unmap),
        zero(strict),
        What::Invoke(GuestOp::Read { offset: 0, bytes: 1024 }),
        What::Invoke(GuestOp::Read { offset: 1024, bytes: 1024 }),
        What::Invoke(GuestOp::Read { offset: 0, bytes: 512 }),
        What::Invoke(GuestOp::Discard { offset: 0, bytes: 1024 }),
        What::Invoke(GuestOp::BlockStatus { offset: 0, bytes: 1024 }),
        What::Invoke(GuestOp::Truncate { bytes: 1024 }),
        What::Invoke(GuestOp::Flush),
        What::Invoke(GuestOp::Length),
        What::Invoke(GuestOp::Invalidate),
        What::Invoke(GuestOp::Close),
        What::Dropped,
        done(Ok(())),
        done(Err(Errno::EIO)),
        done(Err(Errno::ENOSPC)),
        What::Complete(Outcome::Data(Ok(good()))),
        What::Complete(Outcome::Data(Ok(rotten()))),
        What::Complete(Outcome::Length(Ok(1024))),
        What::Reply { child: 0, ordinal: 1, answer: Answer::Done(Ok(())) },
        What::Reply { child: 1, ordinal: 1, answer: Answer::Done(Ok(())) },
        What::Reply { child: 0, ordinal: 2, answer: Answer::Done(Ok(())) },
        What::Reply { child: 0, ordinal: 1, answer: Answer::Done(Err(Errno::EIO)) },
        What::Reply { child: 0, ordinal: 1, answer: Answer::Data(Ok(Payload::of(&good()))) },
        What::Reply { child: 0, ordinal: 1, answer: Answer::Abandoned },
        What::Event(bad("c0", OpType::Read, None)),
        What::Event(bad("c1", OpType::Read, None)),
        What::Event(bad("c0", OpType::Write, None)),
        What::Event(bad("c0", OpType::Read, Some(Errno::EIO))),
        What::Heard(bad("c0", OpType::Read, None)),
        What::Event(Event::Failure { reference: name("q"), sectors: Sectors::NONE }),
        What::Membership(Change::Added { child: 0, name: name("children.0") }),
        What::Membership(Change::Added { child: 0, name: name("children.1") }),
        What::Membership(Change::Removed { child: 0, name: name("children.0") }),
        What::Membership(Change::Refused("no".into())),
    ];
    let mismatch = |[offset, bytes, first_difference]: [u64; 3]| {
        What::Event(Event::Mismatch { reference: name("q"), offset, bytes, first_difference })
    };
    all.extend([[0, 1, 0], [1, 1, 0], [0, 2, 0], [0, 1, 1]].map(mismatch));
    let digests: Vec<_> = all.into_iter().map(of_one).collect();
    for (at, digest) in digests.iter().enumerate() {
        assert_eq!(digests.iter().position(|d| d == digest), Some(at));
    }
}

#[test]
fn digest_covers_what_children_are_asked() {
    let run = three_requests();
    let mut calls = run.trace.entries.iter().filter_map(|entry| match &entry.what {
        What::Submit(call) => Some(call.clone()),
        _ => None,
    });
    let call = calls.next().expect("children were asked");
    let of = |change: &dyn Fn(&mut ChildCall)| {
        let mut call = call.clone();
        change(&mut call);
        of_one(What::Submit(call))
    };
    let same = of(&|_| {});
    assert_ne!(of(&|c| c.child = 1), same);
    assert_ne!(of(&|c| c.ordinal = 2), same);
    assert_ne!(of(&|c| c.kind = OpKind::Write), same);
    assert_ne!(of(&|c| c.offset = 512), same);
    assert_ne!(of(&|c| c.bytes = 512), same);
    assert_ne!(of(&|c| c.flags = Flags::FUA), same);
    assert_ne!(of(&|c| c.payload = Payload::of(&good())), same);
}
