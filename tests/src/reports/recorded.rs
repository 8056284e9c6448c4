//! Runs that are read back from JSON Lines, and where two of them differ.

use super::{lines_of, story::three_requests};
use quorate_reports::{
    Digest, Entry, Recorder, Run, Verdict, What,
    recorded::{Difference, Place, Recorded},
};
use std::io::Cursor;

fn recorded(run: &Run) -> Recorded {
    Recorded::of(run, "6f59ab4")
}

/// The run of these entries.
fn run_of(entries: &[Entry], run: &Run) -> Run {
    let mut recorder = Recorder::default();
    for Entry { at, request, what } in entries {
        recorder.push(*at, *request, what.clone());
    }
    Run { trace: recorder.finish(&run.media), ..run.clone() }
}

fn difference(a: &Run, b: &Run) -> Option<Difference> {
    recorded(a).difference(&mut recorded(b)).expect("what is in memory can be read")
}

fn is_covered(entry: &Entry) -> bool {
    !matches!(entry.what, What::Injected { .. } | What::Control(_))
}

#[test]
fn every_entry_has_the_digest_of_all_so_far() {
    let run = three_requests();
    let mut recorder = Recorder::default();
    let mut before = Digest::default();
    let digests: Vec<_> = run.trace.digests().collect();
    assert_eq!(digests.len(), run.trace.entries.len());
    for (number, entry) in run.trace.entries.iter().enumerate() {
        recorder.push(entry.at, entry.request, entry.what.clone());
        assert_eq!(recorder.digest() != before, is_covered(entry), "entry {number}");
        before = recorder.digest();
        assert_eq!(digests[number], is_covered(entry).then_some(before), "entry {number}");
    }
}

#[test]
fn equal_runs_do_not_differ_and_what_digests_leave_out_is_no_difference() {
    let run = three_requests();
    assert_eq!(difference(&run, &run), None);
    let covered: Vec<Entry> = run.trace.entries.iter().filter(|e| is_covered(e)).cloned().collect();
    assert!(covered.len() < run.trace.entries.len());
    let covered = run_of(&covered, &run);
    assert_eq!(difference(&run, &covered), None);
    assert_eq!(difference(&covered, &run), None);
}

#[test]
fn the_first_event_that_differs_is_found_wherever_it_is() {
    let run = three_requests();
    let entries = &run.trace.entries;
    let mut events = 0;
    for number in (0..entries.len()).filter(|&number| is_covered(&entries[number])) {
        let later = |from: usize| {
            let mut entries = entries.clone();
            entries[from..].iter_mut().for_each(|entry| entry.at += 1);
            run_of(&entries, &run)
        };
        let found = difference(&run, &later(number)).expect("they differ");
        assert_eq!((found.place, found.agreed, found.entry), (Place::Event, events, Some(number)));
        assert!(found.both.len() <= 4 && found.both.len() >= 4.min(number / 2), "{found:?}");
        let at = |line: &str| {
            let line: serde_json::Value = line.parse().expect("a line is an object");
            assert_eq!(line.get("digest"), None);
            line["at_us"].as_u64().expect("a time")
        };
        // What was injected since the last event that both have stands before it.
        let extra = entries[..number].iter().rev().take_while(|entry| !is_covered(entry)).count();
        assert_eq!(at(&found.here[extra]), entries[number].at);
        assert_eq!(at(&found.there[extra]), entries[number].at + 1);

        let shorter = run_of(&entries[..number], &run);
        let found = difference(&run, &shorter).expect("they differ");
        assert_eq!((found.agreed, found.entry), (events, Some(number)));
        assert!(
            found.there.last().is_some_and(|line| line.contains("\"kind\":\"end\"")),
            "{found:?}"
        );
        let found = difference(&shorter, &run).expect("they differ");
        assert_eq!((found.agreed, found.entry), (events, None));
        events += 1;
    }
    assert!(events > 10, "it is a run worth the name");
}

#[test]
fn media_and_verdicts_differ_where_no_event_does() {
    let run = three_requests();
    let mut media = run.media.clone();
    media[1].write(70_000, &[1]);
    let written = Run { media, ..run.clone() };
    let found = difference(&run, &run_of(&run.trace.entries, &written)).expect("they differ");
    assert_eq!((found.place, found.sides().as_str()), (Place::Media, ""));
    let judged = Run { verdict: Verdict::Stalled, ..run.clone() };
    let found = difference(&run, &judged).expect("they differ");
    assert_eq!(found.sentence(), "it ended held here, and stalled there");
    // Nothing is left of a run that panicked.
    let none = run_of(&[], &Run { verdict: Verdict::Panicked, ..run.clone() });
    assert_eq!(difference(&run, &none).expect("they differ").place, Place::Verdict);
}

#[test]
fn both_sides_are_shown_with_what_is_around() {
    let run = three_requests();
    let mut entries = run.trace.entries.clone();
    entries[5].at += 7;
    let found = difference(&run, &run_of(&entries, &run)).expect("they differ");
    let text = format!("{}\n\n{}", found.sentence(), found.sides());
    super::check("difference", &text);
}

#[test]
fn what_is_no_trace_is_refused() {
    let text = lines_of(&three_requests());
    let read = |text: &str| Recorded::read(Cursor::new(text.to_owned().into_bytes()));
    let whole = read(&text).expect("it is whole");
    assert_eq!((whole.token(), whole.commit()), ("smoke:42", "6f59ab4"));
    let lines: Vec<&str> = text.lines().collect();
    let without = |number: usize| {
        let mut lines = lines.clone();
        lines.remove(number);
        lines.join("\n") + "\n"
    };
    let end = lines.len() - 1;
    // A key that nobody looks for in any line but the last.
    let bare = lines[..end].join("\n").replace("\"digest\"", "\"sum\"") + "\n" + lines[end] + "\n";
    for (text, said) in [
        (String::new(), "line 1 is none of a trace: EOF"),
        ("{\"version\": 1}\n".into(), "line 1 is none of a trace: missing field `kind`"),
        (without(0), "line 1 is none of a trace: missing field `schema`"),
        (
            text.replace("\"schema\":1", "\"schema\":7"),
            "it is of schema 7, and this program reads schema 1",
        ),
        (text[..text.len() - 1].into(), "it is cut short"),
        (without(end), "it is cut short"),
        (without(4), "it is damaged: its last line speaks of"),
        (
            text.replacen("\"digest\":\"", "\"digest\":\"x", 1),
            "is none of a trace: a digest is 32 hexadecimal digits",
        ),
        (bare, "line 2 has no digest: an earlier version"),
    ] {
        let error = read(&text).err().expect("it is refused").to_string();
        assert!(error.contains(said), "'{said}' in '{error}'");
    }
}
