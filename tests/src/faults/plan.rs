//! Plans that are refused, with the reason.

use super::{line, rules};
use quorate_faults::{
    inject::{Plan, PlanError},
    rule::Group,
};

#[track_caller]
fn check(rule: &str, message: &str) {
    let groups = [Group { name: "rack-a".into(), children: vec![0, 2] }];
    let refused = Plan::new(1, rules(rule).expect(rule), &groups, 3).err().map(|e| e.to_string());
    assert_eq!(refused.as_deref(), Some(message), "{rule}");
}

const EIO: &str = "do = { fault = \"status\", errno = \"EIO\" }";

fn read(child: &str, rest: &str) -> String {
    line("r", "\"read\"", child, &format!("{rest}\n{EIO}"))
}

#[test]
fn names_must_resolve() {
    check(
        &read("{ group = \"rack-b\" }", ""),
        "rule 'r': child.group: there is no group 'rack-b'; the groups are: rack-a",
    );
    check(&read("3", ""), "rule 'r': child: there is no child 3; the array has 3, counted from 0");
    check(&read("[]", ""), "rule 'r': child: names no child; name one, or write \"any\"");
    check(
        &(read("0", "") + &read("1", "")),
        "rule 'r': the name is taken; give every rule a name of its own",
    );
    let group = |children: Vec<u32>| Group { name: "g".into(), children };
    let refused = Plan::new(1, Vec::new(), &[group(vec![7])], 3).err();
    assert!(matches!(refused, Some(PlanError::ChildOutOfRange { child: 7, count: 3, .. })));
    let refused = refused.map(|e| e.to_string());
    let wanted = "group 'g': children: there is no child 7; the array has 3, counted from 0";
    assert_eq!(refused.as_deref(), Some(wanted));
    let twice = Plan::new(1, Vec::new(), &[group(vec![1]), group(vec![1])], 3).err();
    let wanted = "group 'g': the name is taken; give every group a name of its own";
    assert_eq!(twice.map(|e| e.to_string()).as_deref(), Some(wanted));
}

#[test]
fn a_fault_must_befall_its_kinds() {
    check(
        &line(
            "r",
            "[\"write\", \"flush\"]",
            "0",
            "do = { fault = \"torn\", keep = { prefix = 1 } }",
        ),
        "rule 'r': on: fault \"torn\" does not befall \"flush\", only write, write-zeroes, discard",
    );
    check(
        &line("r", "\"flush\"", "0", "do = { fault = \"corrupt\", bits = 1 }"),
        "rule 'r': on: fault \"corrupt\" does not befall \"flush\", only read, write",
    );
    let applied = EIO.replace(" }", ", applied = \"all\" }");
    check(
        &line("r", "\"read\"", "0", &applied),
        "rule 'r': on: fault \"status\" does not befall \"read\", only \
         write, write-zeroes, flush, discard, truncate",
    );
}

#[test]
fn a_rule_must_be_able_to_fire() {
    for (rest, message) in [
        ("when = { nth = 0 }", "when.nth: is 0, so the rule can never fire; count from 1"),
        ("when = { max = 0 }", "when.max: is 0, so the rule can never fire; count from 1"),
        (
            "when = { nth = 3, every = 2 }",
            "when.nth: no such match is within `first` and `every`; \
             all conditions must hold at once; leave one out",
        ),
        (
            "when = { every = 3, first = 2 }",
            "when.every: is beyond `first`; all conditions must hold at once; leave one out",
        ),
        (
            "when = { rate = \"0%\" }",
            "when.rate: is 0, so the rule can never fire; leave the rule out",
        ),
        (
            "when = { window = \"2s..500ms\" }",
            "when.window: is empty; the end is a time, not a length",
        ),
        (
            "when = { period = \"1s\" }",
            "when.period: repeats no window; give `window` a start and an end",
        ),
        (
            "when = { window = \"0..2s\", period = \"1s\" }",
            "when.period: is shorter than the window; take `period` out of the rule",
        ),
        (
            "when = { after = { event = \"failure\", delay = \"3ms..1ms\" } }",
            "when.after.delay: holds no time; write the shorter time first, and both",
        ),
        (
            "where = { sectors = \"9..9\" }",
            "where.sectors: holds no sector; the end is the sector behind the last",
        ),
        (
            "where = { bytes = \"4096..=512\" }",
            "where.bytes: holds no size; put the smaller size first",
        ),
    ] {
        check(&read("0", rest), &format!("rule 'r': {message}"));
    }
    check(
        &line("r", "\"flush\"", "0", &format!("where = {{ sectors = \"1\" }}\n{EIO}")),
        "rule 'r': where: not every operation of `on` touches sectors; \
         take it out of `on`, or the range out of `where`",
    );
    check(
        &line("r", "\"read\"", "0", "do = { fault = \"rot\", bits = 0 }"),
        "rule 'r': do: damages nothing; count `bits`, `bytes` or `sectors` from 1",
    );
    check(
        &line("r", "\"read\"", "0", "do = { fault = \"misdirect\", by = \"+0\" }"),
        "rule 'r': do.by: does nothing; name a distance, such as \"+8\"",
    );
    let outside = "where = { sectors = \"1\" }\ndo = { fault = \"rot\", bits = 1, at = 1 }";
    check(
        &line("r", "\"read\"", "0", outside),
        "rule 'r': do.at: lies outside of `where.sectors`; \
         `at` counts bytes from the start of the device, `sectors` sectors of 512",
    );
    for (rest, message) in [
        (
            "do = { fault = \"crash\" }",
            "when: does not say when a rule without `on` strikes; \
             write `at`, `window` or `after`, or name operations in `on`",
        ),
        (
            "when = { at = \"1s\", window = \"0..1s\" }\ndo = { fault = \"crash\" }",
            "when: has two times to strike; write one of `at`, `window` and `after`",
        ),
        (
            "when = { window = \"1s..\" }\ndo = { fault = \"crash\" }",
            "when.window: has no end; \
             a rule without `on` strikes at a time inside of it: give it an end",
        ),
        (
            "when = { at = \"1s\" }\ndo = { fault = \"zero\" }",
            "on: names no kind of operation; name one, such as \"read\"",
        ),
        (
            "when = { at = \"1s\" }\ndo = { fault = \"stuck\", wire = [[0, 1]] }",
            "on: names no kind of operation; name one, such as \"read\"",
        ),
        (
            "where = { origin = \"guest\" }\nwhen = { at = \"1s\" }\ndo = { fault = \"crash\" }",
            "where: asks for an operation, and the rule has no `on`; \
             leave `bytes` and `origin` out, or name operations",
        ),
        (
            "on = \"read\"\nwhen = { at = \"1s\" }\ndo = { fault = \"crash\" }",
            "when.at: is for a rule without `on`; leave `on` out, or write a `window`",
        ),
    ] {
        let rule = format!("[[rule]]\nname = \"r\"\nchild = 0\n{rest}\n");
        check(&rule, &format!("rule 'r': {message}"));
    }
    for (on, fault, message) in [
        ("read", "fault = \"stuck\", bits = 0", "do.bits: does nothing; count from 1"),
        ("read", "fault = \"unreadable\", sectors = 0", "do.sectors: does nothing; count from 1"),
        ("write", "fault = \"replay\", lag = 0", "do.lag: does nothing; count from 1"),
        (
            "write",
            "fault = \"replay\", write = 0",
            "do.write: is no operation; operations of a disk count from 1",
        ),
        ("open", "fault = \"rollback\", versions = 0", "do.versions: does nothing; count from 1"),
        ("discard", "fault = \"widen\", unit = 0", "do.unit: is 0; write 512 or 4096"),
        (
            "write",
            "fault = \"crash\", runs = [], flips = [[9, 1], [3, 1]]",
            "do.flips: is out of order; list each byte once, in ascending order",
        ),
    ] {
        let rule = line("r", &format!("\"{on}\""), "0", &format!("do = {{ {fault} }}"));
        check(&rule, &format!("rule 'r': {message}"));
    }
    for (flips, message) in [
        (
            "[]",
            "has no bits; \
             write pairs of an offset and a mask from 1 to 255, such as [[600, 4]]",
        ),
        (
            "[[600, 1], [601, 0]]",
            "has no bits; \
             write pairs of an offset and a mask from 1 to 255, such as [[600, 4]]",
        ),
        ("[[600, 1], [600, 2]]", "is out of order; list each byte once, in ascending order"),
        (
            "[[600, 1], [1024, 2]]",
            "lies outside of `where.sectors`; \
             `flips` counts bytes from the start of the device, `sectors` sectors of 512",
        ),
    ] {
        let fault = format!(
            "where = {{ sectors = \"1\" }}\ndo = {{ fault = \"corrupt\", flips = {flips} }}"
        );
        check(&line("r", "\"read\"", "0", &fault), &format!("rule 'r': do.flips: {message}"));
    }
}
