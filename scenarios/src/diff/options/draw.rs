//! Definitions that are drawn: most options are right, some are not.

use super::sides::{Definition, node_names};
use crate::diff::draws::Draws;
use quorate_faults::draw::Domain;
use serde_json::{Map, Value, json};

/// The definition of a seed, in JSON or as a list of options.
pub(super) fn definition(seed: u64) -> Definition {
    let mut draws = Draws::new(seed, DEFINITION);
    let is_dotted = draws.one_in(3);
    let rarity = *draws.pick(&[3, 6, 16, 48]);
    let mut drawn = Drawn { draws, rarity };
    if is_dotted {
        let mut options = Vec::new();
        drawn.dotted("", 0, &mut options);
        drawn.disorder(&mut options);
        spare_others(&mut options);
        while options.join(",").len() > DOTTED_BYTES_MAX {
            options.pop();
        }
        return Definition::Dotted(options);
    }
    Definition::Json(drawn.array(0).into())
}

struct Drawn {
    draws: Draws,
    /// One in so many options is there, and one in so many of what has to be there is wrong.
    rarity: u64,
}

impl Drawn {
    fn is_odd(&mut self) -> bool {
        self.draws.one_in(self.rarity)
    }

    /// An array as `blockdev-add` takes it.
    fn array(&mut self, depth: u32) -> Map<String, Value> {
        let mut array = Map::new();
        let driver =
            if self.draws.one_in(64) { one(&mut self.draws, DRIVERS) } else { "quorum".into() };
        array.insert("driver".into(), driver);
        if depth == 0 {
            array.insert("node-name".into(), "q".into());
        }
        let count: usize = *self.draws.pick(&[2, 2, 2, 3, 3, 3, 1, 4, 5]);
        let children: Vec<Value> = (0..count).map(|at| self.child(at, depth)).collect();
        let children = if self.is_odd() && self.is_odd() {
            one(&mut self.draws, CHILDREN)
        } else {
            children.into()
        };
        array.insert("children".into(), children);
        let threshold = count / 2 + 1;
        let threshold =
            if self.is_odd() { one(&mut self.draws, THRESHOLDS) } else { threshold.into() };
        if !(self.is_odd() && self.is_odd()) {
            array.insert("vote-threshold".into(), threshold);
        }
        for (option, values) in OPTIONS {
            if self.is_odd() {
                let value = one(&mut self.draws, values);
                array.insert((*option).into(), value);
            }
        }
        // Which of two that nobody knows is named is left to QEMU's hashes.
        if self.is_odd() && self.is_odd() {
            let option = *self.draws.pick(&UNKNOWN);
            array.insert(option.into(), 1.into());
        }
        if self.is_odd() && self.is_odd() {
            array.remove("node-name");
        }
        array
    }

    fn child(&mut self, at: usize, depth: u32) -> Value {
        if self.is_odd() {
            return match self.draws.below(4) {
                0 => one(&mut self.draws, NO_CHILDREN),
                1 => (*self.draws.pick(&["zz", "", "q"])).into(),
                _ => {
                    let names: Vec<&str> = node_names().collect();
                    (*self.draws.pick(&names)).into()
                }
            };
        }
        match self.draws.below(8) {
            0 if depth < DEPTH_MAX => self.array(depth + 1).into(),
            0..=2 => self.null().into(),
            _ => ["a", "b", "c"].get(at).map_or_else(|| self.null().into(), |&name| name.into()),
        }
    }

    /// A node of its own.
    fn null(&mut self) -> Map<String, Value> {
        let size = if self.is_odd() { *self.draws.pick(&[65000, 65537, 131_072]) } else { 65536 };
        let mut node = Map::new();
        node.insert("driver".into(), OTHER.into());
        node.insert("size".into(), size.into());
        node.insert("read-zeroes".into(), true.into());
        for (option, values) in OTHERS {
            if self.is_odd() && self.is_odd() {
                let value = one(&mut self.draws, values);
                node.insert((*option).into(), value);
            }
        }
        node
    }

    /// An array as a command line has it, below a prefix.
    fn dotted(&mut self, prefix: &str, depth: u32, to: &mut Vec<String>) {
        let odd_driver = self.draws.one_in(64);
        let driver = if odd_driver { *self.draws.pick(&["zz", "", "quorum,,x"]) } else { "quorum" };
        if !(odd_driver && self.draws.one_in(3)) {
            to.push(format!("{prefix}driver={driver}"));
        }
        let count = *self.draws.pick(&[2, 2, 3, 3, 1, 4, 0]);
        let threshold = count / 2 + 1;
        if self.is_odd() {
            let odd = *self.draws.pick(NUMBERS);
            to.push(format!("{prefix}vote-threshold{odd}"));
        } else {
            to.push(format!("{prefix}vote-threshold={threshold}"));
        }
        for at in 0..count {
            let index = match self.is_odd() && self.is_odd() {
                true => (*self.draws.pick(&["9", "00", "x", "", "+1"])).to_owned(),
                false => at.to_string(),
            };
            let child = format!("{prefix}children.{index}");
            match self.draws.below(8) {
                0 if self.is_odd() => to.push(format!("{child}=zz")),
                0 if depth < DEPTH_MAX => self.dotted(&format!("{child}."), depth + 1, to),
                _ => to.push(format!("{child}.driver={OTHER}")),
            }
            if self.is_odd() && self.is_odd() {
                let odd = *self.draws.pick(&["=a", ".size=65536", ".size=1073741824"]);
                to.push(format!("{child}{odd}"));
            }
        }
        for (option, values) in DOTTED {
            if self.is_odd() {
                let value = *self.draws.pick(values);
                to.push(format!("{prefix}{option}={value}"));
            }
        }
        if self.is_odd() && self.is_odd() {
            let bare = *self.draws.pick(&BARE);
            to.push(format!("{prefix}{bare}"));
        }
    }

    /// Options in another order, or said twice.
    fn disorder(&mut self, options: &mut Vec<String>) {
        for _ in 0..self.draws.below(4) {
            let (from, to) = (self.index(options), self.index(options));
            options.swap(from, to);
        }
        if self.is_odd() {
            let (from, to) = (self.index(options), self.index(options));
            let again = options[from].clone();
            options.insert(to, again);
        }
    }

    fn index(&mut self, options: &[String]) -> usize {
        let at = self.draws.below(options.len() as u64);
        usize::try_from(at).expect("below the length of a list")
    }
}

/// Leaves out what a node of another driver does not have: what is wrong there is for whoever opens it.
fn spare_others(options: &mut Vec<String>) {
    let driver = format!(".driver={OTHER}");
    let others: Vec<String> = options
        .iter()
        .filter_map(|option| option.strip_suffix(&driver))
        .map(|prefix| format!("{prefix}."))
        .collect();
    let is_known = |rest: &str| ["driver=", "size="].iter().any(|start| rest.starts_with(start));
    options.retain(|option| {
        let rest = others.iter().find_map(|prefix| option.strip_prefix(prefix.as_str()));
        rest.is_none_or(is_known)
    });
}

/// One of these texts of JSON.
fn one(draws: &mut Draws, texts: &[&str]) -> Value {
    let text = *draws.pick(texts);
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

/// The driver of nodes that are no arrays.
const OTHER: &str = "null-co";
const DEFINITION: Domain = Domain::named("options");
/// What `qemu-io` takes for a line, without the rest of the command.
const DOTTED_BYTES_MAX: usize = 1000;
/// Definitions within definitions.
const DEPTH_MAX: u32 = 2;

/// What is not JSON here is a text of it.
type Values = &'static [&'static str];

const DRIVERS: Values = &["qourum", "1", "null"];
const CHILDREN: Values = &["[]", "a", "1", "null", "{}", r#"{"0": "a"}"#, "true"];
const NO_CHILDREN: Values = &[
    "null",
    "1",
    "1.5",
    "true",
    "[]",
    r#"["a"]"#,
    "{}",
    r#"{"driver": 1}"#,
    r#"{"driver": null}"#,
    r#"{"driver": "zz"}"#,
    r#"{"size": 1}"#,
];
const THRESHOLDS: Values = &[
    "0",
    "-1",
    "1",
    "2",
    "3",
    "4",
    "5",
    "1.5",
    "2.0",
    "1e20",
    "null",
    "true",
    "[]",
    "{}",
    r#""2""#,
    "x",
    "2147483648",
    "4294967296",
    "4294967297",
    "4294967298",
    "-4294967294",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
];
const UNKNOWN: [&str; 6] = ["foo", "file", "children.0", "cache.direct", "overlap", "backing"];
/// What a node of another driver has, all right but names: what is wrong there is for whoever opens it.
const OTHERS: &[(&str, Values)] = &[
    ("node-name", &["q", "n1", "n2", "a", "", "1q", "#x", "A_b-c.d", NAME_31, NAME_32]),
    ("discard", &["unmap", "ignore"]),
    ("cache", &[r#"{"direct": true}"#, r#"{"no-flush": false}"#]),
    ("read-only", &["true"]),
    ("auto-read-only", &["true", "false"]),
];
/// What every node may have.
const GENERIC: &[(&str, Values)] = &[
    (
        "node-name",
        &["q", "n1", "n2", "a", "", "1", "null", "1q", "#x", "A_b-c.d", NAME_31, NAME_32],
    ),
    ("discard", &["unmap", "ignore", "on", "off", "1", "null"]),
    (
        "cache",
        &[
            "{}",
            r#"{"direct": true}"#,
            r#"{"no-flush": false}"#,
            r#"{"direct": 1}"#,
            r#"{"foo": 1}"#,
            "1",
            "null",
        ],
    ),
    ("active", &["true", "false", "1"]),
    ("read-only", &["true", "true", "false", "on", "null"]),
    ("auto-read-only", &["true", "false", "on"]),
    ("force-share", &["true", "false", "0"]),
    ("detect-zeroes", &["off", "on", "unmap", "zz", "1"]),
];
/// What an array may have.
const OPTIONS: &[(&str, Values)] = &[
    GENERIC[0],
    GENERIC[1],
    GENERIC[2],
    GENERIC[3],
    GENERIC[4],
    GENERIC[5],
    GENERIC[6],
    GENERIC[7],
    ("blkverify", &["true", "true", "true", "false", "on", "1", "null"]),
    ("rewrite-corrupted", &["true", "true", "true", "false", "on", "1", "null"]),
    ("read-pattern", &["quorum", "fifo", "fifo", "fifo", "bogus", "\"\"", "null", "1"]),
];
const NAME_31: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const NAME_32: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// How a threshold may go on.
const NUMBERS: &[&str] = &[
    "",
    "=",
    "=0",
    "=-1",
    "=abc",
    "=1k",
    "=1.5",
    "=08",
    "=0x",
    "=0x1",
    "=0x-1",
    "=+1",
    "=++1",
    "=01",
    "=1",
    "=2",
    "=3",
    "=9",
    "=2147483648",
    "=4294967296",
    "=4294967297",
    "=18446744073709551615",
    "=18446744073709551616",
    "=99999999999999999999z",
    "=-18446744073709551615",
    "=-9223372036854775809",
];
/// What may be said of an array on a command line. A name that is not in `OPTIONS` is unknown.
const DOTTED: &[(&str, Values)] = &[
    ("node-name", &["q", "n1", "", "1", "#x", "a,,b", NAME_31, NAME_32]),
    ("discard", &["unmap", "ignore", "on", "off", "zz", ""]),
    ("cache.direct", &["on", "off", "zz"]),
    ("cache.no-flush", &["on", "off", "1"]),
    ("read-only", &["off", "no", "zz", ""]),
    ("auto-read-only", &["on", "off", "On"]),
    ("force-share", &["on", "off", "zz"]),
    ("detect-zeroes", &["off", "on", "unmap", "zz", ""]),
    ("blkverify", &["on", "yes", "true", "y", "off", "maybe", "1", "On", ""]),
    ("rewrite-corrupted", &["on", "yes", "off", "n", "maybe", ""]),
    ("read-pattern", &["quorum", "fifo", "fifo", "bogus", "", "Quorum"]),
    ("overlap", &["zz"]),
];
/// What is said without a value, or of no option.
const BARE: [&str; 9] = [
    "blkverify",
    "noblkverify",
    "rewrite-corrupted",
    "norewrite-corrupted",
    "foo",
    "nofoo",
    "=1",
    "children=foo",
    "vote-threshold.x=1",
];
