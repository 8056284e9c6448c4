//! Whatever is drawn can be given: a firing, written down as a rule that draws nothing, comes to the
//! same.

use super::{Bench, line, power::draw};
use futures_util::FutureExt;
use quorate_engine::{BlockDevice, SECTOR_BYTES};
use quorate_faults::{
    alteration::{Alteration, Flip, Run},
    fault::Crash,
    host::Firing,
};
use std::ops::Range;

/// Eight rounds of a write, a flush and a read of the same four sectors, and a power cut: every
/// answer, and what is left.
fn outcome(bench: &Bench) -> String {
    let child = &bench.children[0];
    let mut all = String::new();
    for round in 0..8_u8 {
        all += &format!("{:?}", bench.write(0, 0, &[100 + round; 2048]));
        all += &format!("{:?}", bench.write(0, 512, &[200 + round; 1024]));
        if round % 2 == 1 {
            all += &format!("{:?}", child.flush().now_or_never());
        }
        all += &format!("{:?}", bench.read(0, 0, 2048));
    }
    let crash: Crash = quorate_faults::fault::CrashFields::default().try_into().expect("sound");
    child.cut_power(&crash, false, &draw(0)).now_or_never().expect("at once");
    all + &format!("{:?}{:?}", bench.read(0, 0, 2048), bench.stores[0].bytes())
}

/// The rule that comes to what this firing did.
fn scripted(firing: &Firing, on: &str, whole: &Range<u64>) -> String {
    let mask = |kept: &[Range<u64>]| -> String {
        let sectors = whole.start / SECTOR_BYTES..whole.end / SECTOR_BYTES;
        let is_kept = |sector| kept.iter().any(|range| range.contains(&(sector * SECTOR_BYTES)));
        sectors.map(|sector| if is_kept(sector) { '1' } else { '0' }).collect()
    };
    let pairs = |flips: &[Flip]| -> String {
        let all: Vec<_> =
            flips.iter().map(|flip| format!("[{}, {}]", flip.at, flip.mask)).collect();
        all.join(", ")
    };
    let runs = |runs: &[Run]| -> String {
        let one = |run: &Run| {
            format!("[{}, {}, {}]", run.write, run.range.start, run.range.end - run.range.start)
        };
        runs.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let what = match (&firing.alterations[..], &firing.applied) {
        ([], Some(kept)) => match firing.status {
            Some(errno) => format!(
                "fault = \"status\", errno = \"{errno}\", applied = {{ subset = \"{}\" }}",
                mask(kept)
            ),
            None => format!("fault = \"torn\", keep = {{ subset = \"{}\" }}", mask(kept)),
        },
        ([Alteration::Flip(flips)], _) => {
            format!("fault = \"corrupt\", flips = [{}]", pairs(flips))
        }
        ([Alteration::Rot { flips, .. }], _) => {
            format!("fault = \"rot\", flips = [{}]", pairs(flips))
        }
        ([Alteration::Stuck { bits, .. }], _) => {
            format!("fault = \"stuck\", flips = [{}]", pairs(bits))
        }
        ([Alteration::Unreadable { range, .. }], _) => {
            let sectors = (range.end - range.start) / SECTOR_BYTES;
            format!("fault = \"unreadable\", at = {}, sectors = {sectors}", range.start)
        }
        ([Alteration::Flush { kept, left, .. }], _) => {
            let mut all: Vec<&Run> = kept.iter().chain(left).collect();
            all.sort_by_key(|run| run.write);
            let bits: String =
                all.iter().map(|run| if kept.contains(run) { '1' } else { '0' }).collect();
            let keep = if bits.is_empty() {
                "{ prefix = 0 }".into()
            } else {
                format!("{{ subset = \"{bits}\" }}")
            };
            format!("fault = \"flush\", errno = \"EIO\", dirty = \"mark-clean\", keep = {keep}")
        }
        ([Alteration::Crash { kept, flips, .. }], _) => {
            let flips = match flips.is_empty() {
                true => String::new(),
                false => format!(", flips = [{}]", pairs(flips)),
            };
            format!("fault = \"crash\", runs = [{}]{flips}", runs(kept))
        }
        other => panic!("{other:?}"),
    };
    let rest = format!("when = {{ nth = {} }}\ndo = {{ {what} }}", firing.matched);
    line(&format!("s{}", firing.matched), on, "0", &rest)
}

#[test]
fn what_a_firing_says_comes_to_the_same_without_a_draw() {
    let writes = "where = { bytes = \"2KiB\" }\n";
    for (on, place, fault) in [
        ("read", "", "fault = \"corrupt\", bits = 9"),
        ("read", "", "fault = \"corrupt\", bytes = 9"),
        ("read", "", "fault = \"corrupt\", sectors = 2"),
        ("read", "", "fault = \"rot\", bits = 9"),
        ("read", "", "fault = \"stuck\", bits = 9"),
        ("read", "", "fault = \"unreadable\", sectors = 2, radius = 1"),
        ("write", writes, "fault = \"corrupt\", bits = 9"),
        ("write", writes, "fault = \"rot\", sectors = 1"),
        ("write", writes, "fault = \"torn\", keep = { subset = \"draw\" }"),
        ("write", writes, "fault = \"torn\", keep = { subset = \"draw\" }, rest = \"garbage\""),
        ("write", writes, "fault = \"status\", errno = \"EIO\", applied = { subset = \"draw\" }"),
        ("write", writes, "fault = \"crash\", keep = \"subset\", torn = true"),
        ("write", writes, "fault = \"crash\", keep = \"prefix\", reorder = true"),
        ("write", writes, "fault = \"crash\", keep = \"all\", torn = true, rest = \"garbage\""),
        (
            "flush",
            "",
            "fault = \"flush\", errno = \"EIO\", dirty = \"mark-clean\", keep = \"subset\"",
        ),
    ] {
        let on = format!("\"{on}\"");
        let drawn = format!("{place}when = {{ rate = \"1:2\" }}\ndo = {{ {fault} }}");
        for seed in 0..20 {
            let bench = Bench::seeded(seed, 1, &line("r", &on, "0", &drawn));
            bench.children[0].keep_cache();
            let wanted = outcome(&bench);
            // A garbage write that keeps all of its sectors alters nothing, which no rule says.
            let fired = bench.fired().into_iter().filter(|firing| {
                !matches!(&firing.alterations[..], [Alteration::Flip(flips)] if flips.is_empty())
            });
            let rules: String = fired
                .map(|firing| scripted(&firing, &on, &(0..2048)))
                .map(|rule| rule.replace("when = ", &format!("{place}when = ")))
                .collect();
            let again = Bench::seeded(seed + 1000, 1, &rules);
            again.children[0].keep_cache();
            assert_eq!(outcome(&again), wanted, "{fault} with seed {seed}:\n{rules}");
        }
    }
}
