//! What was compared, added up.

use super::Known;
use serde::Serialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
};

/// What was compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tally {
    /// Cases.
    pub cases: u64,
    /// Requests that were answered.
    pub requests: u64,
    /// Requests to children.
    pub child_ios: u64,
    /// Events.
    pub events: u64,
    /// Cases that met something that is known to differ, and were compared as far as it goes.
    pub known: BTreeMap<Known, u64>,
    /// Requests that NBD cannot ask, and that were taken out of cases.
    pub taken_out: u64,
    /// Cases that could not be compared, by the reason.
    pub left_out: BTreeMap<&'static str, u64>,
}

/// A tally that many add to.
#[derive(Debug, Default)]
pub(super) struct Tallied(Mutex<Tally>);

impl Tallied {
    pub(super) fn so_far(&self) -> Tally {
        self.tally().clone()
    }

    /// Adds a case.
    pub(super) fn add(&self, known: &[Known], rest: impl FnOnce(&mut Tally)) {
        let mut tally = self.tally();
        tally.cases += 1;
        for known in &BTreeSet::from_iter(known) {
            *tally.known.entry(**known).or_default() += 1;
        }
        rest(&mut tally);
    }

    /// Adds requests that are not asked.
    pub(super) fn take_out(&self, requests: u64) {
        self.tally().taken_out += requests;
    }

    /// Adds a case that could not be compared.
    pub(super) fn leave_out(&self, why: &'static str) {
        *self.tally().left_out.entry(why).or_default() += 1;
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
