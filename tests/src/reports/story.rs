//! Runs written down by hand, as plausible as they are small.

use bytes::Bytes;
use quorate_engine::{Errno, Event, Flags, Image, NodeName, OpType, Sectors};
use quorate_faults::{
    host::{Delay, Firing},
    rule::{OpKind, Origin},
};
use quorate_reports::{
    Answer, GuestOp, Outcome, Recorder, RequestId, Run, Verdict, Violation, What,
    trace::{Change, ChildCall, Payload},
};
use std::collections::BTreeMap;

/// A run being written down by hand.
pub(crate) struct Story {
    recorder: Recorder,
    ordinals: BTreeMap<u32, u64>,
    devices: Vec<NodeName>,
    ios: u64,
}

impl Story {
    pub(crate) fn of(children: usize) -> Self {
        let devices = (0..children).map(|i| format!("c{i}").into()).collect();
        Self { recorder: Recorder::default(), ordinals: BTreeMap::new(), devices, ios: 0 }
    }

    pub(crate) fn at(&mut self, at: u64, request: Option<(u16, u32)>, what: What) -> &mut Self {
        let request = request.map(|(client, step)| RequestId { client, step });
        self.recorder.push(at, request, what);
        self
    }

    pub(crate) fn submit(
        &mut self,
        at: u64,
        id: (u16, u32),
        child: u32,
        call: (OpKind, u64, u64),
    ) -> u64 {
        let (kind, offset, bytes) = call;
        let ordinal = self.ordinals.entry(child).or_default();
        *ordinal += 1;
        let call = ChildCall {
            child,
            ordinal: *ordinal,
            kind,
            offset,
            bytes,
            flags: Flags::NONE,
            origin: Origin::Guest,
            payload: Payload::default(),
        };
        let ordinal = call.ordinal;
        self.at(at, Some(id), What::Submit(call));
        ordinal
    }

    pub(crate) fn fault(
        &mut self,
        at: u64,
        id: (u16, u32),
        child: u32,
        firing: Firing,
    ) -> &mut Self {
        let ordinal = self.ordinals[&child];
        self.at(at, Some(id), What::Injected { child, ordinal, firing: firing.into() })
    }

    /// The child answers its last operation.
    pub(crate) fn reply(
        &mut self,
        at: u64,
        id: (u16, u32),
        child: u32,
        answer: Answer,
    ) -> &mut Self {
        let ordinal = self.ordinals[&child];
        self.ios += 1;
        self.at(at, Some(id), What::Reply { child, ordinal, answer })
    }

    pub(crate) fn finish(self, name: &str, verdict: Verdict) -> Run {
        let media = vec![Image::new(1 << 20); self.devices.len()];
        Run {
            name: name.into(),
            token: "smoke:42".into(),
            devices: self.devices,
            trace: self.recorder.finish(&media),
            media,
            verdict,
            violations: Vec::new(),
            waits: Vec::new(),
            child_ios: self.ios,
        }
    }
}

pub(crate) fn firing(rule: &str, fault: &'static str, status: Option<Errno>) -> Firing {
    Firing {
        rule: rule.into(),
        fault,
        matched: 1,
        status,
        applied: None,
        delay: Delay::NONE,
        alterations: Vec::new(),
        taint: Vec::new(),
        colluding: false,
        outside: false,
    }
}

pub(crate) fn good() -> Bytes {
    Bytes::from(vec![7; 1024])
}

pub(crate) fn rotten() -> Bytes {
    Bytes::from(vec![8; 1024])
}

pub(crate) fn data(data: &Bytes) -> Answer {
    Answer::Data(Ok(Payload::of(data)))
}

pub(crate) fn bad(child: &str, op: OpType, error: Option<Errno>) -> Event {
    let sectors = if op == OpType::Flush { Sectors::NONE } else { Sectors { first: 0, count: 2 } };
    Event::ReportBad { op, node_name: child.into(), error, sectors }
}

/// A read of which one child is corrupt, a write that two children fail, a flush.
pub(crate) fn three_requests() -> Run {
    let mut s = Story::of(3);
    let read = (0, 0);
    s.at(0, Some(read), What::Invoke(GuestOp::Read { offset: 0, bytes: 1024 }));
    for child in 0..3 {
        s.submit(0, read, child, (OpKind::Read, 0, 1024));
        if child == 1 {
            s.fault(0, read, 1, firing("rot", "corrupt", None));
        }
    }
    s.reply(120, read, 0, data(&good())).reply(180, read, 1, data(&rotten()));
    s.reply(240, read, 2, data(&good()));
    s.at(240, Some(read), What::Event(bad("c1", OpType::Read, None)));
    s.at(240, Some(read), What::Complete(Outcome::Data(Ok(good()))));

    s.at(300, None, What::Control("hold c0 writes".into()));
    let write = (0, 1);
    let op = GuestOp::Write { offset: 0, data: good(), flags: Flags::FUA };
    s.at(300, Some(write), What::Invoke(op));
    for child in 0..3 {
        s.submit(300, write, child, (OpKind::Write, 0, 1024));
        if child > 0 {
            s.fault(300, write, child, firing("full", "status", Some(Errno::ENOSPC)));
        }
    }
    for (at, child) in [(1310, 2), (1320, 1)] {
        s.reply(at, write, child, Answer::Done(Err(Errno::ENOSPC)));
        let event = bad(["c0", "c1", "c2"][child as usize], OpType::Write, Some(Errno::ENOSPC));
        s.at(at, Some(write), What::Event(event.clone()));
        if child == 2 {
            s.at(at, Some(write), What::Heard(event));
        }
    }
    s.at(1400, None, What::Control("release c0".into()));
    s.reply(1450, write, 0, Answer::Done(Ok(())));
    let failure = Event::Failure { reference: "q".into(), sectors: Sectors { first: 0, count: 2 } };
    s.at(1450, Some(write), What::Event(failure));
    s.at(1450, Some(write), What::Complete(Outcome::Done(Err(Errno::ENOSPC))));

    let flush = (1, 0);
    s.at(2000, Some(flush), What::Invoke(GuestOp::Flush));
    for child in 0..3 {
        let at = 2000 + 50 * u64::from(child);
        s.submit(at, flush, child, (OpKind::Flush, 0, 0));
        s.reply(at + 50, flush, child, Answer::Done(Ok(())));
    }
    s.at(2150, Some(flush), What::Complete(Outcome::Done(Ok(()))));
    s.finish("three-requests", Verdict::Held)
}

/// The wrong version wins, and a check says so.
pub(crate) fn wrong_winner() -> Run {
    let mut s = Story::of(3);
    let read = (0, 17);
    s.at(5_000, Some(read), What::Invoke(GuestOp::Read { offset: 65536, bytes: 1024 }));
    for child in 0..3 {
        s.submit(5_000, read, child, (OpKind::Read, 65536, 1024));
    }
    s.reply(5_010, read, 2, data(&good())).reply(5_020, read, 0, data(&good()));
    s.reply(5_400, read, 1, data(&rotten()));
    s.at(5_400, Some(read), What::Complete(Outcome::Data(Ok(rotten()))));
    let mut run = s.finish("read-after-write", Verdict::Violated);
    run.violations.push(Violation {
        check: "winner",
        request: Some(RequestId { client: 0, step: 17 }),
        entry: Some(7),
        reason:
            "the guest got version B, which 1 of 3 children answered, but threshold 2 asks for \
                 version A of c0 and c2"
                .into(),
    });
    run
}

/// A corrupt child wins over one that is too slow, while another client keeps the array busy.
pub(crate) fn interleaved() -> Run {
    let mut s = Story::of(3);
    let read = (0, 0);
    s.at(0, Some(read), What::Invoke(GuestOp::Read { offset: 0, bytes: 1024 }));
    for child in 0..3 {
        s.submit(0, read, child, (OpKind::Read, 0, 1024));
        if child == 1 {
            s.fault(0, read, 1, firing("rot", "corrupt", None));
        }
    }
    for (child, version) in [(0, good()), (1, rotten()), (2, good())] {
        s.reply(10, read, child, data(&version));
    }
    for step in 0..20 {
        let (other, at) = ((1, step), 20 + 10 * u64::from(step));
        s.at(at, Some(other), What::Invoke(GuestOp::Flush));
        for child in 0..3 {
            s.submit(at, other, child, (OpKind::Flush, 0, 0));
        }
        for child in 0..3 {
            s.reply(at + 5, other, child, Answer::Done(Ok(())));
        }
        s.at(at + 5, Some(other), What::Complete(Outcome::Done(Ok(()))));
    }
    s.at(900, Some(read), What::Complete(Outcome::Data(Ok(rotten()))));
    let mut run = s.finish("interleaved", Verdict::Violated);
    run.violations.push(Violation {
        check: "winner",
        request: Some(RequestId { client: 0, step: 0 }),
        entry: Some(run.trace.entries.len() - 1),
        reason: "the guest got version B, which 1 of 3 children answered".into(),
    });
    run
}

/// The guest gets data that no child answered with.
pub(crate) fn made_up() -> Run {
    let mut s = Story::of(1);
    let read = (0, 0);
    s.at(0, Some(read), What::Invoke(GuestOp::Read { offset: 0, bytes: 1024 }));
    s.submit(0, read, 0, (OpKind::Read, 0, 1024));
    s.reply(1, read, 0, data(&good()));
    s.at(1, Some(read), What::Complete(Outcome::Data(Ok(rotten()))));
    s.finish("made-up", Verdict::Held)
}

/// A change of membership, a rewrite, a request given up, one that nothing can complete.
pub(crate) fn unfinished() -> Run {
    let mut s = Story::of(4);
    let read = (0, 0);
    s.at(0, Some(read), What::Invoke(GuestOp::Read { offset: 700, bytes: 10 }));
    for child in 0..3 {
        s.submit(0, read, child, (OpKind::Read, 512, 512));
    }
    for child in 0..3 {
        let answer = data(&if child == 0 { rotten() } else { good() }.slice(..512));
        s.reply(90, read, child, answer);
    }
    let sectors = Sectors { first: 1, count: 1 };
    let event = Event::ReportBad { op: OpType::Read, node_name: "c0".into(), error: None, sectors };
    s.at(90, Some(read), What::Event(event));
    *s.ordinals.entry(0).or_default() += 1;
    s.at(
        90,
        Some(read),
        What::Submit(ChildCall {
            child: 0,
            ordinal: 2,
            kind: OpKind::Write,
            offset: 512,
            bytes: 512,
            flags: Flags::NONE,
            origin: Origin::Rewrite,
            payload: Payload::of(&good().slice(..512)),
        }),
    );
    s.reply(140, read, 0, Answer::Done(Ok(())));
    s.at(140, Some(read), What::Complete(Outcome::Data(Ok(good().slice(..10)))));
    let joined = Change::Added { child: 3, name: "children.3".into() };
    s.at(200, None, What::Membership(joined));
    let refused = "Node 'c3' not found".to_owned();
    s.at(200, None, What::Membership(Change::Refused(refused)));
    for client in 0..2 {
        let write = (client, 1);
        let op = GuestOp::Write { offset: 4096 << client, data: good(), flags: Flags::NONE };
        s.at(300, Some(write), What::Invoke(op));
        for child in 0..4 {
            s.submit(300, write, child, (OpKind::Write, 4096 << client, 1024));
        }
    }
    for child in 1..4 {
        s.reply(333, (1, 1), child, Answer::Done(Ok(())));
    }
    s.at(400, Some((1, 1)), What::Dropped);
    s.finish("unfinished", Verdict::Stalled)
}

/// Nine children, of which three rot.
pub(crate) fn nine() -> Run {
    let mut s = Story::of(9);
    let read = (0, 0);
    s.at(0, Some(read), What::Invoke(GuestOp::Read { offset: 0, bytes: 1024 }));
    for child in 0..9 {
        s.submit(0, read, child, (OpKind::Read, 0, 1024));
        if child % 4 == 3 {
            s.fault(0, read, child, firing("rot", "corrupt", None));
        }
    }
    for child in 0..8 {
        let at = if child < 5 { 100 } else { 130 + u64::from(child) };
        s.reply(at, read, child, if child % 4 == 3 { data(&rotten()) } else { data(&good()) });
    }
    s.reply(900, read, 8, Answer::Data(Err(Errno::EIO)));
    for (child, error) in [("c8", Some(Errno::EIO)), ("c7", None), ("c3", None)] {
        s.at(900, Some(read), What::Event(bad(child, OpType::Read, error)));
    }
    s.at(900, Some(read), What::Complete(Outcome::Data(Ok(good()))));
    s.finish("nine", Verdict::Held)
}
