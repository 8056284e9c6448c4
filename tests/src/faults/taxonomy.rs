//! scenarios/TAXONOMY.md: it knows every id, each of its rules fires, and its scenarios are there.

use super::{Bench, sector};
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, Flags, Prealloc};
use quorate_faults::{device::FaultyChild, strike::strike};
use quorate_scenarios::catalog;
use std::sync::Arc;

const PAGE: &str = include_str!("../../../scenarios/TAXONOMY.md");

struct Row {
    id: &'static str,
    rule: &'static str,
    scenarios: &'static str,
}

fn rows() -> Vec<Row> {
    let cells = |line: &'static str| line.split('|').map(str::trim).collect::<Vec<_>>();
    let rows = PAGE.lines().filter(|line| line.starts_with("| ")).map(cells);
    let row = |cells: Vec<&'static str>| Row { id: cells[1], rule: cells[3], scenarios: cells[4] };
    rows.map(row).filter(|row| row.id != "id").collect()
}

fn quoted(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').skip(1).step_by(2)
}

#[test]
fn every_id_has_its_row() {
    let kinds = [
        ("R", 11),
        ("W", 11),
        ("F", 11),
        ("D", 6),
        ("Z", 5),
        ("B", 4),
        ("G", 4),
        ("O", 5),
        ("C", 3),
        ("T", 4),
    ];
    let rows = rows();
    let ids = kinds.iter().flat_map(|(kind, last)| (1..=*last).map(move |n| format!("{kind}{n}")));
    let missing: Vec<_> = ids.filter(|id| !rows.iter().any(|row| row.id == id)).collect();
    assert!(missing.is_empty(), "TAXONOMY.md has no row for {missing:?}");
}

#[test]
fn each_rule_fires_and_what_has_none_says_why() {
    for Row { id, rule, .. } in rows() {
        if !rule.starts_with('`') {
            let is_told = rule.starts_with("cannot be: ") || rule.starts_with("no rule: ");
            assert!(is_told, "{id}: {rule}");
            continue;
        }
        let keys: Vec<_> = quoted(rule).collect();
        let text = format!("[[rule]]\nname = \"{id}\"\nchild = 0\n{}\n", keys.join("\n"));
        let mut bench = Bench::new(1, &text);
        ask_everything(&bench);
        let child = Arc::new(bench.children.remove(0));
        strike_all(&bench, &child);
        assert!(bench.plan.unfired().is_empty(), "{id} has not fired: {text}");
    }
}

/// Some of everything that a child can be asked.
fn ask_everything(bench: &Bench) {
    let child = &bench.children[0];
    // Whatever becomes of it: rules are to fire, operations may fail, and some never end.
    let _ = child.open().now_or_never();
    let _ = child.length().now_or_never();
    let _ = child.pwrite(512, sector(9).repeat(2).into(), Flags::NONE).now_or_never();
    for _ in 0..8 {
        let _ = child.pread(0, 2048).now_or_never();
    }
    let _ = child.pdiscard(512, 512).now_or_never();
    let _ = child.pwrite(512, sector(8).repeat(2).into(), Flags::NONE).now_or_never();
    let _ = child.flush().now_or_never();
    let _ = child.pwrite_zeroes(0, 1024, Flags::NONE).now_or_never();
    let _ = child.block_status(0, 4096).now_or_never();
    let _ = child.truncate(16384, Prealloc::Off).now_or_never();
    let _ = child.close().now_or_never();
}

fn strike_all(bench: &Bench, child: &Arc<FaultyChild>) {
    for next in bench.plan.strikes() {
        let strike = strike(&bench.plan, next, std::slice::from_ref(child));
        assert_eq!(strike.now_or_never().expect("at once"), None, "once only");
    }
}

#[test]
fn its_scenarios_are_in_the_catalog_and_hold_such_a_fault() {
    let mut wrong = Vec::new();
    for Row { id, rule, scenarios } in rows() {
        let word = quoted(rule).find_map(|key| key.split("fault = \"").nth(1)?.split('"').next());
        for name in quoted(scenarios) {
            let scenario = catalog::scenario(name).unwrap_or_else(|| panic!("{id}: {name}"));
            let has = |word: &str| scenario.rules.iter().any(|rule| rule.r#do.word() == word);
            let by_step = !scenario.steps.is_empty() && scenario.rules.is_empty();
            if !word.is_none_or(has) && !by_step {
                wrong.push(format!("{id}: {name}"));
            }
        }
    }
    assert!(wrong.is_empty(), "no such fault in {wrong:#?}");
}
