//! scenarios/FORMAT.md: its examples run as they stand, and it leaves no key out.

use quorate_reports::{Colour, Verdict, timeline};
use quorate_scenarios::{
    expand::expand, fuzz::attempt, load, metamorphic, oracle, runner::Scratch,
};

const DOCUMENT: &str = include_str!("../../scenarios/FORMAT.md");

/// What stands before a fragment, and before an unknown key.
const HEADER: &str = "version = 1\nname = \"x\"\narray.children = 3\narray.vote-threshold = 2\n";

/// The blocks with this info string.
fn blocks(info: &str) -> Vec<String> {
    let open = format!("```{info}");
    let mut blocks = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if line == open {
                blocks.push(block.join("\n"));
            }
        }
    }
    blocks
}

#[test]
fn whole_examples_hold() {
    let whole = blocks("toml");
    assert!(!whole.is_empty());
    for text in whole {
        assert!(text.starts_with("version = 1\n"), "not a whole scenario:\n{text}");
        let scenario = load::parse(&text, "FORMAT.md").unwrap_or_else(|e| panic!("{e}\n{text}"));
        let scenario = expand(&scenario, 0);
        let run = attempt::run(&scenario, "FORMAT.md", None, &mut Scratch::default(), None);
        assert_eq!(run.verdict, Verdict::Held, "{}", timeline::render(&run, Colour::Off));
    }
}

#[test]
fn the_first_example_needs_its_repair() {
    let text = blocks("toml")[0].replace("rewrite-corrupted = true\n", "");
    let scenario = load::parse(&text, "FORMAT.md").expect("a scenario all the same");
    let run = attempt::run(&scenario, "FORMAT.md", None, &mut Scratch::default(), None);
    assert_eq!(run.verdict, Verdict::Violated);
    assert_eq!(run.violations[0].check, "expectations");
    assert_eq!(run.violations[0].request.map(|id| id.to_string()), Some("0.2".into()));
}

#[test]
fn fragments_are_understood() {
    let fragments = blocks("toml fragment");
    assert!(!fragments.is_empty());
    for text in fragments {
        let whole = format!("{HEADER}\n{text}");
        assert!(load::parse(&whole, "FORMAT.md").is_ok_and(|s| !s.rules.is_empty()), "{whole}");
    }
}

/// The words that would be right in the place of `zzz`, as the error lists them.
fn words_instead(text: &str) -> Vec<String> {
    let whole = format!("{HEADER}{text}");
    let error = load::parse(&whole, "unknown").expect_err(text).to_string();
    let (_, expected) =
        error.split_once(", expected ").unwrap_or_else(|| panic!("{text}: {error}"));
    expected.split('`').skip(1).step_by(2).map(String::from).collect()
}

#[test]
fn every_word_of_the_format_is_in_the_document() {
    let rule = |rest: &str| format!("[[rule]]\nname = \"r\"\n{rest}");
    let fault = |rest: &str| rule(&format!("on = \"read\"\nchild = 0\ndo = {{ {rest} }}"));
    let when = |rest: &str| rule(&format!("on = \"read\"\nchild = 0\nwhen = {{ {rest} }}"));
    let random =
        |rest: &str| format!("[random]\nchildren = [3]\nrequests = 1\nbytes-max = 512\n{rest}");
    let places = [
        // Keys of tables.
        "zzz = 1".into(),
        "array.zzz = 1".into(),
        "array.inner = [{ zzz = 1 }]".into(),
        "[disk]\nzzz = 1".into(),
        "[child.0]\nzzz = 1".into(),
        "[schedule]\nzzz = 1".into(),
        "[schedule]\npause = [{ zzz = 1 }]".into(),
        "[[group]]\nzzz = 1".into(),
        rule("zzz = 1"),
        rule("child = { zzz = 1 }"),
        rule("where = { zzz = 1 }"),
        when("zzz = 1"),
        when("after = { zzz = 1 }"),
        fault("zzz = 1"),
        fault("fault = \"torn\", keep = { zzz = 1 }"),
        "[[step]]\nzzz = 1".into(),
        "[[client]]\nzzz = 1".into(),
        "[budget]\nzzz = 1".into(),
        "[limits]\nzzz = 1".into(),
        "[expect]\nzzz = 1".into(),
        "[[expect.media]]\nzzz = 1".into(),
        random("zzz = 1"),
        random("mix = { zzz = 1 }"),
        // Values that are words.
        "array.read-pattern = \"zzz\"".into(),
        "array.overlap = \"zzz\"".into(),
        "[schedule]\nkind = \"zzz\"".into(),
        rule("on = [\"zzz\"]"),
        rule("child = { group = \"g\", draw = \"zzz\" }"),
        rule("where = { origin = \"zzz\" }"),
        when("after = { event = \"zzz\" }"),
        fault("fault = \"zzz\""),
        fault("fault = \"delay\", dist = \"zzz\""),
        fault("fault = \"corrupt\", stability = \"zzz\""),
        fault("fault = \"rot\", heal = \"zzz\""),
        fault("fault = \"torn\", rest = \"zzz\""),
        fault("fault = \"stuck\", level = \"zzz\""),
        fault("fault = \"lost\", shows = \"zzz\""),
        fault("fault = \"flush\", dirty = \"zzz\""),
        fault("fault = \"crash\", torn = { zzz = 1 }"),
        "[[step]]\ndo = \"zzz\"".into(),
        "[expect]\npromises = \"zzz\"".into(),
        "[budget]\nmode = \"zzz\"".into(),
        "[budget]\nshape = \"zzz\"".into(),
        "[budget]\nexcess = \"zzz\"".into(),
        random("threshold = \"zzz\""),
        random("faults = [\"zzz\"]"),
    ];
    let mut words: Vec<String> = places.iter().flat_map(|text| words_instead(text)).collect();
    // Words that no error lists.
    words.extend(
        ["any", "atlas", "ok", "none", "all", "draw", "fua", "may-unmap", "no-fallback"]
            .map(Into::into),
    );
    words.extend(metamorphic::laws().map(|(name, ..)| name.to_owned()));
    words.extend(oracle::checks().map(|(name, ..)| name.to_owned()));
    words.extend(Verdict::ALL.map(|verdict| verdict.word().to_owned()));
    words.sort();
    words.dedup();
    let missing: Vec<&String> = words
        .iter()
        .filter(|word| !DOCUMENT.contains(&format!("`{word}`")))
        .filter(|word| !DOCUMENT.contains(&format!("`\"{word}\"`")))
        .collect();
    assert!(words.len() > 100, "{words:?}");
    assert!(missing.is_empty(), "FORMAT.md says nothing about {missing:?}");
}

/// What the error says of a file that begins with this.
fn refusal(text: &str) -> String {
    load::parse(&format!("version = 1\nname = \"x\"\n{text}"), "x").expect_err(text).to_string()
}

#[test]
fn a_profile_whose_draws_can_lack_a_disk_is_refused() {
    let profile = |disks: &str| {
        format!(
            "version = 1\nname = \"x\"\n[array]\nchildren = 3\nvote-threshold = 2\n{disks}\n\
             [child.4]\nfill = 1\n[[step]]\ndo = \"corrupt\"\nchild = 2\nbytes = 512\nfill = 1\n\
             [random]\nchildren = [2, 5]\nrequests = 1\nbytes-max = 512\n"
        )
    };
    let error = load::parse(&profile(""), "x").expect_err("two children have no disk 2");
    assert_eq!(error.to_string(), "there is no disk 2: there are 2");
    let whole = load::parse(&profile("disks = 3"), "x").expect("now there is always a disk 2");
    for seed in 0..8 {
        let scenario = expand(&whole, seed);
        let run = attempt::run(&scenario, "x", None, &mut Scratch::default(), None);
        assert_eq!(run.verdict, Verdict::Held, "{}", timeline::render(&run, Colour::Off));
    }
}

#[test]
fn inner_arrays_are_checked_before_the_run() {
    let inner = |name: &str, children: &str, threshold: u32| {
        refusal(&format!(
            "[array]\nchildren = [\"in\", \"c2\"]\nvote-threshold = 1\n[[array.inner]]\n\
             name = \"{name}\"\nchildren = [{children}]\nvote-threshold = {threshold}"
        ))
    };
    assert!(inner("c7", "'c0'", 1).starts_with("the name 'c7' is taken"));
    assert!(inner("in", "'c0', 'other'", 1).starts_with("there is no node 'other'"));
    assert!(inner("in", "'c0', 'c1'", 3).starts_with("vote-threshold is 3"));
}

#[test]
fn a_budget_must_know_the_votes() {
    let array = "[array]\nchildren = 3\nvote-threshold = 2\n";
    let step = "[[step]]\ndo = \"read\"\nbytes = \"8KiB\"\n";
    let error = refusal(&format!("{array}[budget]\nchunk = \"4KiB\"\n{step}"));
    assert!(error.contains("a request of 8192 bytes"), "{error}");
    let rule = "[[rule]]\nname = \"r\"\non = \"read\"\ndo = { fault = \"zero\" }\nchild = ";
    let error = refusal(&format!("{array}{rule}\"atlas\"\n"));
    assert!(error.contains("write a [budget] table"), "{error}");
    let hang = rule.replace("zero", "hang");
    let error = refusal(&format!("{array}[budget]\n{hang}0\n"));
    assert!(error.contains("rule 'r': do: no budget allows it"), "{error}");
    let nested = "[array]\nchildren = [\"in\"]\nvote-threshold = 1\n[[array.inner]]\n\
                  name = \"in\"\nchildren = [\"c0\"]\nvote-threshold = 1\n";
    let error = refusal(&format!("{nested}[budget]\n{step}"));
    assert!(error.contains("the votes of one array"), "{error}");
}

#[test]
fn a_latency_without_an_end_is_refused() {
    let array = "[array]\nchildren = 1\nvote-threshold = 1\n";
    for text in [
        "[disk]\nlatency = \"1ms..\"",
        "[child.0]\nlatency = \"2ms..1ms\"",
        "[[step]]\ndo = \"latency\"\nchild = 0\ntime = \"1ms..\"",
    ] {
        assert!(refusal(&format!("{array}{text}")).starts_with("a latency has an end"), "{text}");
    }
}

#[test]
fn requests_beyond_the_end_break_no_promise() {
    let text = "version = 1\nname = \"x\"\narray.children = 2\narray.vote-threshold = 2\n\
                expect.promises = \"correct\"\n[[step]]\ndo = \"write-zeroes\"\nbytes = 512\n\
                offset = \"18446744073709551615\"\n[[step]]\ndo = \"write\"\nbytes = 512\n\
                offset = \"1MiB\"\n";
    let scenario = load::parse(text, "x").expect("a scenario");
    let run = attempt::run(&scenario, "x", None, &mut Scratch::default(), None);
    assert_eq!(run.verdict, Verdict::Held, "{}", timeline::render(&run, Colour::Off));
}

#[test]
fn a_file_cannot_ask_for_more_than_there_is() {
    let array = "[array]\nchildren = 1\nvote-threshold = 1\n";
    for (text, says) in [
        ("[array]\nchildren = 1001\nvote-threshold = 1", "there are at most 1000 disks"),
        ("[array]\nchildren = [\"c4294967295\"]\nvote-threshold = 1", "there are at most 1000"),
        ("limits.seconds = 1000000001", "a run takes at most"),
        ("[disk]\nbytes = \"2GiB\"\nfill = 1", "all that disks hold which do not begin"),
        ("[[step]]\ndo = \"write-zeroes\"\nbytes = \"2GiB\"", "a request is at most 1 GiB"),
        (
            "disk.bytes = \"2GiB\"\n[[step]]\ndo = \"corrupt\"\nchild = 0\nbytes = \"2GiB\"\nfill = 1",
            "a range to corrupt is at most 1 GiB",
        ),
        (
            "disk.bytes = \"2GiB\"\n[[expect.media]]\nchild = 0\nbytes = \"2GiB\"\nfill = 0",
            "what is compared is at most 1 GiB",
        ),
        ("[random]\nchildren = [1]\nrequests = 1\nbytes-max = \"2GiB\"", "a request is at most"),
        ("[random]\nchildren = [2000]\nrequests = 1\nbytes-max = 1", "there are at most 1000"),
    ] {
        // Keys of the document come before its tables.
        let whole = match text.starts_with('[') {
            true if text.starts_with("[array]") => text.into(),
            true => format!("{array}{text}"),
            false => text.replacen('\n', &format!("\n{array}"), 1),
        };
        let whole = if whole.contains("[array]") { whole } else { format!("{whole}\n{array}") };
        assert!(refusal(&whole).starts_with(says), "{}", refusal(&whole));
    }
}

#[test]
fn what_is_missing_or_too_large_is_told_with_a_remedy() {
    let refused = |text: &str| load::parse(text, "x").expect_err(text).to_string();
    for (text, says) in [
        ("name = \"x\"", "`version` is missing: write `version = 1`, the version of the format"),
        ("version = 1", "`name` is missing: write `name = \"…\"`"),
        ("version = 1\nname = \"x\"\n[array]", "`children` is missing: write `children = 3`, how"),
        ("version = 1\nname = \"x\"\ndisk = { fill = 300 }", "`fill` is a byte, 0 to 255"),
        ("version = 1\nname = \"x\"\n[[step]]\ndo = \"read\"\nholds = -1", "`holds` is a byte"),
    ] {
        assert!(refused(text).starts_with(says), "{}", refused(text));
    }
}

#[test]
fn an_error_and_what_it_would_hold_are_refused() {
    let text = "[array]\nchildren = 1\nvote-threshold = 1\n[[step]]\ndo = \"read\"\nbytes = 512\n";
    let both = format!("{text}expect = \"EIO\"\nholds = 0");
    assert!(refusal(&both).starts_with("a request that fails with EIO answers nothing"));
}

/// What of a file with this rule the error points at.
fn pointed_at(rule: &str) -> String {
    let text = format!("{HEADER}[[rule]]\nname = \"r\"\nchild = 0\n{rule}\n");
    match load::parse(&text, "x").expect_err(rule) {
        load::LoadError::Content { at: Some(at), .. } => {
            text[at.offset()..at.offset() + at.len()].to_owned()
        }
        other => panic!("{rule}: {other:?}"),
    }
}

#[test]
fn a_rule_that_could_never_fire_is_pointed_at_where_it_is_wrong() {
    for (rule, place) in [
        ("on = \"read\"\nwhen = { nth = 0 }\ndo = { fault = \"hang\" }", "0"),
        ("on = [\"flush\"]\ndo = { fault = \"zero\" }", "[\"flush\"]"),
        ("on = \"read\"\ndo = { fault = \"rot\", flips = [[1, 0]] }", "[[1, 0]]"),
        ("when = { window = \"1s..\" }\ndo = { fault = \"crash\" }", "\"1s..\""),
        ("when = { rate = 0.5 }\ndo = { fault = \"crash\" }", "{ rate = 0.5 }"),
        ("on = \"write\"\ndo = { fault = \"replay\", lag = 0 }", "0"),
    ] {
        assert_eq!(pointed_at(rule), place, "{rule}");
    }
    let text = "on = \"read\"\ndo = { fault = \"hang\" }\n[[rule]]\nname = \"s\"\non = \"read\"\n\
                       child = { group = \"nosuch\" }\ndo = { fault = \"hang\" }";
    assert_eq!(pointed_at(text), "\"nosuch\"");
}
