//! Rules as files: what is accepted, what comes back, and what is said about mistakes.

use super::rules;
use quorate_faults::rule::Group;
use std::collections::BTreeMap;

const EVERY_FORM: &str = r#"
[[rule]]
name = "torn-third"
on = ["write", "write-zeroes"]
child = 1
where = { sectors = "128..136", origin = "guest" }
when = { nth = 3 }
do = { fault = "status", errno = "EIO", applied = { prefix = 4 } }

[[rule]]
name = "rot"
on = "read"
child = "any"
where = { bytes = "..=64KiB" }
when = { rate = "1:200", max = 50 }
do = { fault = "rot", bits = 1, heal = "never" }

[[rule]]
name = "brownout"
on = "read"
child = { group = "rack-a", draw = "shared" }
when = { window = "2s..2500ms", period = "10s" }
do = { fault = "delay", dist = "exp", min = "5ms", mean = "40ms" }

[[rule]]
name = "after"
on = "flush"
child = { list = [0, 2], draw = "exclusive" }
when = { first = 3, after = { event = "guest-write-acked", count = 40, delay = "0..3ms" } }
do = { fault = "hang", applied = "all" }
"#;

const EVERY_FAULT: &[&str] = &[
    "fault = \"status\", errno = \"ENOSPC\"",
    "fault = \"status\", errno = 71, applied = \"all\"",
    "fault = \"status\", errno = \"EIO\", applied = { subset = \"draw\" }",
    "fault = \"status\", errno = \"EIO\", applied = { subset = \"0110\" }",
    "fault = \"delay\", dist = \"fixed\", min = \"250us\"",
    "fault = \"delay\", dist = \"uniform\", min = \"10ns\", max = \"2s\"",
    "fault = \"hang\"",
    "fault = \"corrupt\", bytes = 4, at = 77, stability = \"stable\"",
    "fault = \"corrupt\", flips = [[77, 1], [600, 0x80]]",
    "fault = \"rot\", bits = 3, heal = \"overwrite\"",
    "fault = \"rot\", sectors = 2, at = 512",
    "fault = \"rot\", flips = [[0, 255]], heal = \"never\"",
    "fault = \"lost\"",
    "fault = \"torn\", keep = { suffix = 2 }, unit = \"4KiB\", then = \"EIO\"",
    "fault = \"torn\", keep = { subset = \"draw\" }, then = \"ok\"",
    "fault = \"misdirect\", by = \"-8\"",
    "fault = \"misdirect\", to = 8",
    "fault = \"short\", bytes = 0",
    "fault = \"stale\", versions = 2",
    "fault = \"zero\"",
    "fault = \"unsupported\"",
    "fault = \"length\", bytes = \"1GiB\"",
    "fault = \"false-zero\"",
    "fault = \"false-data\"",
    "fault = \"extent\", bytes = 512",
    "fault = \"stuck\", bits = 2",
    "fault = \"stuck\", flips = [[7, 1]], level = \"low\"",
    "fault = \"stuck\", wire = [[0, 128]], level = \"high\"",
    "fault = \"unreadable\"",
    "fault = \"unreadable\", sectors = 8, at = 4096, radius = 1, errno = \"ENXIO\", heal = \"never\"",
    "fault = \"lost\", shows = \"new\"",
    "fault = \"torn\", keep = { prefix = 1 }, rest = \"garbage\"",
    "fault = \"misdirect\", by = 8, heal = \"overwrite\"",
    "fault = \"stale\", heal = \"never\"",
    "fault = \"zero\", fill = 0xa5, heal = \"overwrite\"",
    "fault = \"replay\"",
    "fault = \"replay\", lag = 3",
    "fault = \"replay\", write = 7",
    "fault = \"rollback\", versions = 2",
    "fault = \"rollback\", write = 0",
    "fault = \"read-only\"",
    "fault = \"widen\", unit = \"4KiB\"",
    "fault = \"flush\", errno = \"EIO\", dirty = \"retain\"",
    "fault = \"flush\", errno = \"EIO\", dirty = \"mark-clean\", keep = { prefix = 2 }",
    "fault = \"flush\", errno = \"EIO\", dirty = \"revert\", keep = { subset = \"draw\" }",
    "fault = \"flush\", errno = \"EIO\", dirty = \"latch\"",
    "fault = \"flush\", errno = \"EIO\", dirty = \"eject\"",
    "fault = \"flush\", dirty = \"lie\"",
    "fault = \"flush\", errno = \"EIO\", dirty = \"deferred\"",
    "fault = \"crash\"",
    "fault = \"crash\", keep = \"all\", down = \"250ms\", errno = \"ETIMEDOUT\"",
    "fault = \"crash\", keep = \"subset\", torn = true, reorder = true, rest = \"garbage\"",
    "fault = \"crash\", keep = \"prefix\", torn = { suffix = 1 }, reorder = false",
    "fault = \"crash\", keep = { subset = \"101\" }, torn = false",
    "fault = \"crash\", runs = [[3, 0, 1024], [2, 512, 512]], flips = [[513, 7]]",
];

fn with_fault(fault: &str) -> String {
    format!("[[rule]]\nname = \"r\"\non = \"write\"\nchild = 0\ndo = {{ {fault} }}\n")
}

#[track_caller]
fn check_round_trip(text: &str) {
    let read = rules(text).expect(text);
    assert!(!read.is_empty());
    let written = toml::to_string(&BTreeMap::from([("rule", &read)])).expect(text);
    assert_eq!(rules(&written).expect(&written), read, "{written}");
}

#[test]
fn what_is_written_reads_the_same() {
    check_round_trip(EVERY_FORM);
    for fault in EVERY_FAULT {
        check_round_trip(&with_fault(fault));
    }
    for child in
        ["\"any\"", "\"atlas\"", "7", "[]", "[1, 2]", "{ list = [1] }", "{ group = \"g\" }"]
    {
        check_round_trip(
            &with_fault("fault = \"zero\"").replace("child = 0", &format!("child = {child}")),
        );
    }
    for when in [
        "nth = [1, 4]",
        "at = \"2s\"",
        "rate = \"2.5%\"",
        "rate = 0.125",
        "rate = \"1:1\"",
        "window = \"3ms..\"",
        "after = { event = \"report-bad\" }",
        "window = \"0..1500us\", period = \"1s\"",
    ] {
        check_round_trip(&format!("{}when = {{ {when} }}\n", with_fault("fault = \"zero\"")));
    }
    let group: BTreeMap<String, Vec<Group>> =
        toml::from_str("[[group]]\nname = \"rack-a\"\nchildren = [0, 2]").unwrap();
    assert_eq!(group["group"], [Group { name: "rack-a".into(), children: vec![0, 2] }]);
}

/// A rule with one line wrong: what of it is marked, and what is said.
#[track_caller]
fn check(mistake: &str, place: &str, message: &str) {
    let key = mistake.split_once('=').expect("a line of a rule").0;
    let mut lines = SOUND;
    let at = lines.iter().position(|line| line.starts_with(key)).expect("a key of a rule");
    lines[at] = mistake;
    let text = lines.join("\n");
    let error = rules(&text).expect_err(mistake);
    let span = error.span().expect(mistake);
    assert_eq!((&text[span.clone()], error.message()), (place, message), "{mistake}");
    let column = span.start - lines[..at].iter().map(|line| line.len() + 1).sum::<usize>() + 1;
    let position = format!("line {}, column {column}\n", at + 1);
    assert!(error.to_string().contains(&position), "{position}{error}");
}

const SOUND: [&str; 7] = [
    "[[rule]]",
    "name = \"r\"",
    "on = \"read\"",
    "child = 0",
    "where = {}",
    "when = {}",
    "do = { fault = \"zero\" }",
];

#[test]
fn mistakes_in_on_and_child_are_named_in_their_place() {
    const KINDS: &str = "expected one of `read`, `write`, `write-zeroes`, `flush`, \
                         `block-status`, `length`, `open`, `close`, `discard`, `truncate`";
    let raed = format!("unknown variant `raed`, {KINDS}");
    check(r#"on = "raed""#, r#""raed""#, &raed);
    check(r#"on = ["read", "raed"]"#, r#""raed""#, &raed);
    check(
        "on = 3",
        "3",
        "invalid type: integer `3`, expected a kind of operation such as \"read\"",
    );
    const CHILD: &str = "expected an index, a list of indices, \"any\", \"atlas\", \
                         or a table of `group` or `list` with `draw`";
    check(r#"child = "all""#, r#""all""#, &format!("invalid value: string \"all\", {CHILD}"));
    check("child = -1", "-1", &format!("invalid value: integer `-1`, {CHILD}"));
    check("child = true", "true", &format!("invalid type: boolean `true`, {CHILD}"));
    check("child = [0, -1]", "-1", "invalid value: integer `-1`, expected u32");
    let gruop = "unknown field `gruop`, expected one of `group`, `list`, `draw`";
    check(r#"child = { gruop = "a" }"#, "gruop", gruop);
    let draws = "unknown variant `sharde`, expected one of \
                 `independent`, `shared`, `shared-bytes`, `exclusive`";
    check(r#"child = { group = "a", draw = "sharde" }"#, r#""sharde""#, draws);
    let one = "`child` wants exactly one of `group` and `list`";
    check(r#"child = { draw = "shared" }"#, r#"{ draw = "shared" }"#, one);
    check(r#"child = { group = "a", list = [] }"#, r#"{ group = "a", list = [] }"#, one);
}

#[test]
fn mistakes_in_where_and_when_are_named_in_their_place() {
    let keys = "unknown field `sector`, expected one of `sectors`, `origin`, `bytes`";
    check(r#"where = { sector = "1..2" }"#, "sector", keys);
    let range = r#""a..2" is not a range of sectors: write "128..136" for 128 to 135, or "128""#;
    check(r#"where = { sectors = "a..2" }"#, r#""a..2""#, range);
    let origins = "unknown variant `gest`, expected one of `any`, `guest`, `rewrite`";
    check(r#"where = { origin = "gest" }"#, r#""gest""#, origins);
    let sizes = r#"is not a range of sizes: write "512..=4096", "..=64KiB", "1MiB.." or "512""#;
    check(r#"where = { bytes = "..=4kb" }"#, r#""..=4kb""#, &format!("\"..=4kb\" {sizes}"));
    let keys = "unknown field `nht`, expected one of `nth`, `every`, `first`, `rate`, `max`, \
                `at`, `window`, `period`, `after`";
    check("when = { nht = 3 }", "nht", keys);
    let rate = r#"is not a rate of at most one: write "1:200", "10%" or "0.1""#;
    for wrong in ["1:0", "3:2", "150%", "1.5", "-1", "half"] {
        let (line, place) = (format!("when = {{ rate = \"{wrong}\" }}"), format!("\"{wrong}\""));
        check(&line, &place, &format!("{place} {rate}"));
    }
    let window = r#""2s" is not a range of time: write "2s..2500ms", "0..3ms" or "2s..""#;
    check(r#"when = { window = "2s" }"#, r#""2s""#, window);
    let duration = "is not a duration: write a number and its unit, \
                    \"10ns\", \"250us\", \"5ms\" or \"2s\"";
    check(r#"when = { period = "5 min" }"#, r#""5 min""#, &format!("\"5 min\" {duration}"));
    let events = "unknown variant `failre`, expected one of `guest-write-acked`, \
                  `guest-read-done`, `flush-acked`, `report-bad`, `failure`";
    check(r#"when = { after = { event = "failre" } }"#, r#""failre""#, events);
    let keys = "unknown field `dealy`, expected one of `event`, `count`, `delay`";
    check(r#"when = { after = { event = "failure", dealy = "1s" } }"#, "dealy", keys);
}

#[test]
fn mistakes_in_do_are_named_in_their_place() {
    let words = "unknown variant `stauts`, expected one of `status`, `delay`, `hang`, `corrupt`, \
                 `rot`, `stuck`, `unreadable`, `lost`, `torn`, `misdirect`, `replay`, `short`, \
                 `stale`, `zero`, `flush`, `crash`, `rollback`, `unsupported`, `read-only`, \
                 `widen`, `length`, `false-zero`, `false-data`, `extent`";
    check(r#"do = { fault = "stauts" }"#, r#""stauts""#, words);
    let keys = "unknown field `ernno`, expected one of `fault`, `errno`, `applied`, `dist`, `min`, \
                `max`, `mean`, `bits`, `bytes`, `sectors`, `flips`, `wire`, `at`, `radius`, \
                `stability`, `level`, `heal`, `keep`, `torn`, `rest`, `reorder`, `runs`, `down`, \
                `unit`, `then`, `shows`, `by`, `to`, `lag`, `versions`, `write`, `fill`, `dirty`";
    check(r#"do = { fault = "status", ernno = "EIO" }"#, "ernno", keys);
    let errno = r#""EOI" is not an error number: write a name such as "EIO""#;
    check(r#"do = { fault = "status", errno = "EOI" }"#, r#""EOI""#, errno);
    let applied = "invalid value: string \"some\", expected \"none\", \"all\", \
                   or a table of `prefix`, `suffix` or `subset`";
    check(r#"do = { fault = "hang", applied = "some" }"#, r#""some""#, applied);
    let keep = "unknown variant `perfix`, expected one of `prefix`, `suffix`, `subset`";
    check(r#"do = { fault = "hang", applied = { perfix = 1 } }"#, "perfix", keep);
    let mask = "\"0x1\" is not a subset: write \"draw\", \
                or a mask such as \"1011\" with one digit for each unit";
    check(r#"do = { fault = "torn", keep = { subset = "0x1" } }"#, r#""0x1""#, mask);
    let table = r#"{ fault = "hang", bits = 3 }"#;
    let foreign = "`bits` is not a key of fault \"hang\", which takes `applied`";
    check(&format!("do = {table}"), table, foreign);
    let table = r#"{ fault = "unsupported", bits = 3 }"#;
    let foreign = "`bits` is not a key of fault \"unsupported\", which takes no further key";
    check(&format!("do = {table}"), table, foreign);
    let table = r#"{ fault = "rot", bits = 3, stability = "fresh" }"#;
    let foreign = "`stability` is not a key of fault \"rot\", \
                   which takes `bits`, `bytes`, `sectors`, `flips`, `at`, `heal`";
    check(&format!("do = {table}"), table, foreign);
    for (table, wants) in [
        ("fault = \"status\"", "`errno`, a name such as \"EIO\""),
        ("fault = \"rot\"", "exactly one of `bits`, `bytes`, `sectors` and `flips`"),
        (
            "fault = \"corrupt\", flips = [[1, 1]], bits = 1",
            "exactly one of `bits`, `bytes`, `sectors` and `flips`",
        ),
        (
            "fault = \"corrupt\", flips = [[1, 1]], at = 1",
            "no `at` beside `flips`, which says where",
        ),
        ("fault = \"torn\"", "`keep`, such as { prefix = 1 }"),
        ("fault = \"torn\", keep = \"all\"", "a table for `keep`, such as { prefix = 1 }"),
        ("fault = \"stuck\"", "exactly one of `bits`, `flips` and `wire`"),
        ("fault = \"replay\", lag = 1, write = 1", "at most one of `lag` and `write`"),
        ("fault = \"rollback\"", "exactly one of `versions` and `write`"),
        ("fault = \"widen\"", "`unit`, such as \"4KiB\""),
        ("fault = \"flush\", dirty = \"latch\"", "`errno`, a name such as \"EIO\""),
        ("fault = \"flush\", dirty = \"lie\", errno = \"EIO\"", "no `errno` with dirty \"lie\""),
        (
            "fault = \"flush\", errno = \"EIO\"",
            "`dirty`, what becomes of the writes, such as \"mark-clean\"",
        ),
        (
            "fault = \"crash\", runs = [[1, 0, 512]], torn = true",
            "no `keep`, `torn`, `rest` or `reorder` beside `runs`",
        ),
        ("fault = \"crash\", flips = [[1, 1]]", "`runs` beside `flips`, which are in what lands"),
        ("fault = \"misdirect\", by = 1, to = 1", "exactly one of `by` and `to`, in sectors"),
        ("fault = \"delay\", dist = \"exp\", min = \"1s\"", "`mean` with dist \"exp\""),
    ] {
        let word = table.split('"').nth(1).expect("the word of the fault");
        let (table, said) = (format!("{{ {table} }}"), format!("fault \"{word}\" wants {wants}"));
        check(&format!("do = {table}"), &table, &said);
    }
    let keep = "invalid value: string \"sum\", expected a table of `prefix`, `suffix` or `subset`, \
                or for a crash \"none\", \"all\", \"prefix\" or \"subset\"";
    check(r#"do = { fault = "crash", keep = "sum" }"#, r#""sum""#, keep);
    let torn = "invalid type: integer `3`, expected true, false, \
                or a table of `prefix`, `suffix` or `subset`";
    check(r#"do = { fault = "crash", torn = 3 }"#, "3", torn);
    let dirty = "unknown variant `clean`, expected one of `retain`, `mark-clean`, `revert`, \
                 `latch`, `eject`, `lie`, `deferred`";
    check(r#"do = { fault = "flush", dirty = "clean" }"#, r#""clean""#, dirty);
    let runs = "a run is the number of an operation, an offset and how many bytes, at least one";
    check(r#"do = { fault = "crash", runs = [[1, 512, 0]] }"#, "[[1, 512, 0]]", runs);
    let mask = "invalid value: integer `300`, expected u8";
    check(r#"do = { fault = "rot", flips = [[1, 300]] }"#, "300", mask);
    let table = "invalid type: string \"zero\", expected a table such as { fault = \"zero\" }";
    check(r#"do = "zero""#, r#""zero""#, table);
}
