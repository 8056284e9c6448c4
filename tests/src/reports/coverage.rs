//! Cells of coverage: how many there are, how they are written, and what is missed.

use quorate_reports::{
    Colour,
    summary::{
        self, Cell, Reach, Summary,
        cell::{Parts, Tie, Traits},
    },
};
use std::collections::BTreeSet;

/// Each cell once: reads by who is right, what else is answered and how many fail; changes by how many
/// make it; reads in fifo order by how many fail first.
#[test]
fn every_vote_has_one_cell() {
    for (children, reads) in [(1, 3), (2, 7), (3, 14), (4, 26), (5, 45), (6, 75), (7, 120)] {
        for threshold in 1..=children {
            let cores = summary::cores(children, threshold);
            let all: BTreeSet<Cell> = cores.iter().copied().collect();
            let changes = 2 * (usize::from(children) + 1);
            let fifo = 2 * usize::from(children) + 1;
            assert_eq!(all.len(), cores.len(), "none twice");
            assert_eq!(all.len(), reads + changes + fifo, "{children} children");
            assert!(all.iter().all(|cell| cell.core() == *cell));
            for cell in all.iter().filter(|cell| !cell.traits.fifo) {
                let answers = cell.right + cell.wrong.total() + cell.errors.total();
                assert_eq!(answers, children, "{cell}");
            }
        }
    }
}

#[test]
fn a_cell_comes_back_from_its_text() {
    let ties = [Tie::None, Tie::Right, Tie::Wrong, Tie::Strangers];
    for core in summary::cores(4, 2) {
        for (number, tie) in (0..).zip(ties.into_iter().cycle().take(16)) {
            let is_set = |bit: u32| number & 1 << bit != 0;
            let traits = Traits {
                fifo: is_set(0),
                inside: is_set(1),
                repairs: is_set(2),
                healed: is_set(3),
            };
            let cell = Cell { tie, traits, ..core };
            assert_eq!(cell.to_string().parse(), Ok(cell));
        }
    }
    let text = "read 2/5 right 1 wrong 2+1 errors 1 tie-strangers inside";
    assert_eq!(text.parse::<Cell>().unwrap().to_string(), text);
    for wrong in [
        "",
        "read 2/3",
        "read 2/3 right 1 wrong 1+2 errors 0",
        "read 2/3 right 4 wrong 4+4 errors 0 x",
    ] {
        assert!(wrong.parse::<Cell>().unwrap_err().to_string().contains("is not a cell"));
    }
    assert_eq!(Parts::new(&[4, 4]), None, "eight are not counted");
    assert_eq!(Parts::new(&[1, 3]).unwrap().sizes().collect::<Vec<_>>(), [3, 1]);
}

/// What is declared is missed once the profile has run often enough, and not before.
#[test]
fn what_was_not_reached_is_named_in_time() {
    let reach = Reach { children: [2].into(), after: 100 };
    let mut summary = Summary { reach: [("p".to_owned(), reach)].into(), ..Summary::default() };
    let cores: Vec<Cell> = [1, 2].into_iter().flat_map(|t| summary::cores(2, t)).collect();
    let (missed, visited) = cores.split_first().unwrap();
    let errors = |cell: &Cell| {
        if cell.errors.total() == 2 { Parts::new(&[1, 1]).unwrap() } else { cell.errors }
    };
    let finer = |cell: &Cell| {
        let traits = Traits { inside: true, ..cell.traits };
        Cell { errors: errors(cell), traits, ..*cell }
    };
    summary.cells = visited.iter().map(|cell| (finer(cell), 1)).collect();
    assert_eq!(summary.reached(), (cores.len() - 1, cores.len()));
    summary.profiles.insert("p".into(), 99);
    assert_eq!(summary.unreached(), BTreeSet::new());
    summary.profiles.insert("p".into(), 100);
    assert_eq!(summary.unreached(), BTreeSet::from([*missed]));
    let text = summary::render(&summary, Colour::Off);
    assert!(text.contains(&format!("never reached: {missed}")), "{text}");
}
