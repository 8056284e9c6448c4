//! Faults that strike by themselves, when their time has come.

use crate::{device::FaultyChild, inject::Plan};
use std::{sync::Arc, time::Duration};

/// A rule that is to strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strike {
    pub(crate) rule: usize,
    pub(crate) number: u64,
    pub(crate) at: Duration,
}

impl Strike {
    /// When.
    #[must_use]
    pub fn at(&self) -> Duration {
        self.at
    }
}

/// Strikes now: each child of the rule, in order, at one instant. `children` are those of the array, by
/// index. Gives back when the rule strikes again.
pub async fn strike(plan: &Plan, strike: Strike, children: &[Arc<FaultyChild>]) -> Option<Strike> {
    for &child in plan.struck(strike.rule) {
        if let Some(child) = children.get(child as usize) {
            child.struck(&strike).await;
        }
    }
    plan.appointment(strike.rule, strike.number + 1)
}
