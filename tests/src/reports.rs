//! What people and machines see of a run: event text and JSON, JSON Lines, timeline, card, summary.

use insta::{assert_snapshot, with_settings};
use quorate_reports::{
    Colour, Run, Verdict, Violation,
    card::{self, Card, Excerpt},
    json, summary, timeline,
    trace::Payload,
};
use story::{Story, good, interleaved, made_up, nine, three_requests, unfinished, wrong_winner};

mod coverage;
mod digest;
mod events;
mod recorded;
mod story;
mod totals;

fn lines_of(run: &Run) -> String {
    let mut lines = Vec::new();
    json::write(run, "6f59ab4", &mut lines).expect("a Vec takes everything");
    String::from_utf8(lines).expect("JSON is UTF-8")
}

#[track_caller]
fn check(name: &str, text: &str) {
    assert!(!text.contains('\u{1b}'), "colour is off");
    assert!(text.lines().all(|line| line.trim_end() == line), "no trailing spaces");
    with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        assert_snapshot!(format!("reports__{name}"), text);
    });
}

#[test]
fn timeline_shows_who_answered_what() {
    let text = timeline::render(&three_requests(), Colour::Off);
    check("timeline_three_requests", &text);
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn timeline_marks_what_did_not_hold() {
    check("timeline_wrong_winner", &timeline::render(&wrong_winner(), Colour::Off));
}

#[test]
fn timeline_says_what_was_left_open() {
    check("timeline_unfinished", &timeline::render(&unfinished(), Colour::Off));
}

#[test]
fn timeline_says_so_when_no_child_gave_the_data() {
    let text = timeline::render(&made_up(), Colour::Off);
    assert!(text.contains("< 0.0 data that no child gave"));
}

#[test]
fn timeline_of_many_children_stays_narrow() {
    let text = timeline::render(&nine(), Colour::Off);
    check("timeline_nine", &text);
    assert!(text.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn timeline_of_an_empty_run_is_its_header() {
    let run = Story::of(0).finish("empty", Verdict::Held);
    assert!(timeline::render(&run, Colour::Off).starts_with("empty  smoke:42  held\n0 children"));
    assert!(card::render(&card_of(&run), Colour::Off).starts_with("HELD  empty\n"));
}

#[test]
fn json_lines_follow_the_schema() {
    let text = lines_of(&unfinished());
    check("json_unfinished", &text);
    let run = wrong_winner();
    let lines: Vec<serde_json::Value> =
        lines_of(&run).lines().map(|line| line.parse().expect("a line is an object")).collect();
    assert_eq!(lines.len(), run.trace.entries.len() + 2);
    assert_eq!(lines[0]["schema"], json::SCHEMA);
    let end = lines.last().expect("there is an end");
    assert_eq!(end["digest"], run.trace.digest.to_string());
    let bad = usize::try_from(end["violations"][0]["entry"].as_u64().expect("a number"));
    assert_eq!(lines[bad.expect("small") + 1]["kind"], "complete");
}

#[test]
fn json_names_written_and_read_data_by_the_same_hash() {
    let text = lines_of(&three_requests());
    let hash = format!("{:016x}", Payload::of(&good()).hash);
    let with = |kind: &str| {
        text.lines().any(|l| l.contains(&format!("\"kind\":\"{kind}\"")) && l.contains(&hash))
    };
    assert!(with("invoke"));
    assert!(with("reply"));
    assert!(with("complete"));
}

fn card_of(run: &Run) -> Card<'_> {
    Card {
        run,
        commit: "6f59ab4",
        options: "[array]\nchildren = 3\nvote-threshold = 2\nread-pattern = \"quorum\"",
        replay: "quorate replay smoke:42",
        shrink: None,
        excerpt: Excerpt::Shown,
    }
}

#[test]
fn card_fits_one_screen() {
    let text = card::render(&card_of(&wrong_winner()), Colour::Off);
    assert!(text.lines().count() <= 40);
    check("card_wrong_winner", &text);
}

#[test]
fn card_shows_the_requests_own_entries_before_others() {
    let text = card::render(&card_of(&interleaved()), Colour::Off);
    assert!(text.lines().count() <= 40);
    check("card_interleaved", &text);
}

#[test]
fn card_without_a_violation_is_of_its_verdict() {
    let run = unfinished();
    assert_eq!(card::class(&run), "stalled");
    check("card_unfinished", &card::render(&card_of(&run), Colour::Off));
}

#[test]
fn card_cuts_what_does_not_fit() {
    let mut run = nine();
    run.verdict = Verdict::Violated;
    let violation = |check, entry| Violation { check, request: None, entry, reason: "No.".into() };
    run.violations = vec![violation("later", None), violation("first", Some(1))];
    let options = "line\n".repeat(30);
    let text = card::render(&Card { options: &options, ..card_of(&run) }, Colour::Off);
    assert_eq!(card::class(&run), "first");
    assert!(text.contains("violated, and 1 more violation\n"));
    assert!(text.contains("… 20 lines more\n"));
}

#[test]
fn colour_changes_nothing_but_colour() {
    let strip = |text: &str| {
        let mut plain = String::new();
        for (at, part) in text.split("\u{1b}[").enumerate() {
            plain += if at == 0 { part } else { part.split_once('m').expect("a colour ends").1 };
        }
        plain
    };
    for run in [three_requests(), wrong_winner(), unfinished(), nine()] {
        let coloured = timeline::render(&run, Colour::On);
        assert_ne!(coloured, strip(&coloured));
        assert_eq!(strip(&coloured), timeline::render(&run, Colour::Off));
        let coloured = card::render(&card_of(&run), Colour::On);
        assert_eq!(strip(&coloured), card::render(&card_of(&run), Colour::Off));
    }
    let coloured = summary::render(&totals::night(), Colour::On);
    assert_eq!(strip(&coloured), summary::render(&totals::night(), Colour::Off));
}

#[test]
fn summary_reads_in_ten_seconds() {
    check("summary_night", &summary::render(&totals::night(), Colour::Off));
}

#[test]
fn summary_of_nothing_is_short() {
    let text = summary::render(&summary::Summary::default(), Colour::Off);
    assert_eq!(
        text,
        "0 runs, all held, 0 child operations\n\
         0 seeds/s, 0 per core-second, 0.0 s elapsed, 0.0 s of processor time\n"
    );
}
