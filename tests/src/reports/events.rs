//! Events as text and as QAPI's JSON.

use proptest::prelude::*;
use quorate_engine::{Errno, Event, OpType, Sectors};
use quorate_reports::qapi;

fn events() -> impl Strategy<Value = Event> {
    let op = prop::sample::select(vec![OpType::Read, OpType::Write, OpType::Flush]);
    let sectors = || any::<(u64, u64)>().prop_map(|(first, count)| Sectors { first, count });
    let error = prop::option::of((1..4096).prop_map(|n| Errno::from_number(n).expect("in range")));
    let name = || "[a-z#.0-9]{1,9}|[ -~\u{e4}\n\t]{0,9}";
    prop_oneof![
        (op, name(), error, sectors()).prop_map(|(op, name, error, sectors)| {
            Event::ReportBad { op, node_name: name.into(), error, sectors }
        }),
        (name(), sectors())
            .prop_map(|(name, sectors)| Event::Failure { reference: name.into(), sectors }),
        (name(), any::<[u64; 3]>()).prop_map(|(name, [offset, bytes, first_difference])| {
            Event::Mismatch { reference: name.into(), offset, bytes, first_difference }
        }),
    ]
}

proptest! {
    #[test]
    fn text_of_an_event_parses_to_the_event(event in events()) {
        let text = qapi::text(&event);
        prop_assert_eq!(text.lines().count(), 1);
        prop_assert_eq!(qapi::parse(&text), Ok(event));
    }

    #[test]
    fn any_text_parses_or_is_refused(text in "(bad|failure|mismatch)?[ a-z0-9+\"\\\\]{0,20}") {
        if let Ok(event) = qapi::parse(&text) {
            prop_assert_eq!(qapi::parse(&qapi::text(&event)), Ok(event));
        }
    }
}

const SECTORS: Sectors = Sectors { first: 0, count: 1 };

#[test]
fn json_is_what_qemu_sends() {
    let bad = Event::ReportBad {
        op: OpType::Read,
        node_name: "c0".into(),
        error: Some(Errno::ENOSPC),
        sectors: SECTORS,
    };
    assert_eq!(
        qapi::json(&bad).to_string(),
        concat!(
            r#"{"event":"QUORUM_REPORT_BAD","data":{"node-name":"c0","sectors-count":1,"#,
            r#""sector-num":0,"type":"read","error":"No space left on device"}}"#
        )
    );
    let failure = Event::Failure { reference: "q".into(), sectors: SECTORS };
    assert_eq!(
        qapi::json(&failure).to_string(),
        r#"{"event":"QUORUM_FAILURE","data":{"reference":"q","sectors-count":1,"sector-num":0}}"#
    );
}

#[test]
fn outvoted_child_has_no_error_key() {
    let event = qapi::parse("bad c1 read 0+20").expect("an event");
    assert_eq!(qapi::json(&event)["data"].get("error"), None);
}

#[test]
fn mismatch_is_qemus_line_and_an_event_of_ours() {
    let event = qapi::parse("mismatch q 1000+1000 at 1500").expect("an event");
    let line = "quorum: offset=1000 bytes=1000 contents mismatch at offset 1500";
    assert_eq!(qapi::qemu_line(&event).as_deref(), Some(line));
    assert_eq!(
        qapi::json(&event).to_string(),
        concat!(
            r#"{"event":"QUORATE_MISMATCH","data":{"reference":"q","offset":1000,"#,
            r#""bytes":1000,"first-difference":1500}}"#
        )
    );
}

#[test]
fn short_forms_are_these() {
    for text in [
        "bad c1 read 0+20",
        "bad c1 read 0+20 ENOSPC",
        "bad c1 write 0+20 4095",
        "bad #block123 flush 0+0 EIO",
        "bad \"\" read 0+1",
        "bad \"my disk\" read 0+1",
        "failure q 0+20",
        "mismatch q 1000+1000 at 1500",
    ] {
        let event = qapi::parse(text).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(qapi::text(&event), text);
    }
}

#[test]
fn refusals_say_what_was_expected() {
    for (text, expected, found) in [
        ("", "bad, failure or mismatch", "the end"),
        ("worse c1", "bad, failure or mismatch", "'worse'"),
        ("bad", "the name of a node", "the end"),
        ("bad \"c1 read", "the name of a node", "'\"c1 read'"),
        ("bad c1 trim 0+1", "read, write or flush", "'trim'"),
        ("bad c1 read 0-1", "a range of sectors such as 0+20", "'0-1'"),
        ("bad c1 read 0+1 EWHAT", "an error such as ENOSPC, or the end", "'EWHAT'"),
        ("bad c1 read 0+1 EIO now", "the end", "'now'"),
        ("failure q", "a range of sectors such as 0+20", "the end"),
        ("mismatch q 1+1 in 3", "at", "'in'"),
        ("mismatch q 1+1 at x", "an offset in bytes", "'x'"),
    ] {
        let error = qapi::parse(text).expect_err(text).to_string();
        assert_eq!(error, format!("not an event: '{text}': expected {expected}, found {found}"));
    }
}
