//! In which order operations of disks complete.

use super::is_default;
use quorate_faults::text::TimeRange;
use serde::{Deserialize, Serialize};
use std::fmt;

/// In which order operations of disks complete.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct Schedule {
    /// Which of those that may complete is the next.
    pub order: Order,
    /// When disks complete nothing.
    pub pauses: Vec<Pause>,
}

/// Which operation completes next, of those that may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The one that is due first.
    #[default]
    Earliest,
    /// Any, by lot.
    Uniform,
    /// One of the disk that comes first in a drawn order, which changes so often less one.
    Pct {
        /// How many orders there are.
        depth: u32,
        /// Within how many completions they change.
        within: u64,
    },
    /// One of this disk only if there is no other.
    Late {
        /// The disk.
        child: u32,
    },
    /// First those of all other disks, then of these, one disk after the other.
    Dissent {
        /// The disks.
        children: Vec<u32>,
    },
}

/// In words; nothing, if each operation completes when it is due.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match &self.order {
            Order::Earliest => None,
            Order::Uniform => Some("uniform".into()),
            Order::Pct { depth, within } => Some(format!("pct of depth {depth} within {within}")),
            Order::Late { child } => Some(format!("c{child} late")),
            Order::Dissent { children } => {
                let names: Vec<String> = children.iter().map(|child| format!("c{child}")).collect();
                Some(format!("{} after the others", names.join(" ")))
            }
        };
        let pauses = self.pauses.iter().map(|p| format!("c{} pauses {}", p.child, p.time));
        f.write_str(&order.into_iter().chain(pauses).collect::<Vec<String>>().join(", "))
    }
}

/// A time in which a disk completes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table such as { child = 1, time = \"2ms..5ms\" }")]
pub struct Pause {
    /// Which disk.
    pub child: u32,
    /// From when, and when it goes on.
    pub time: TimeRange,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    #[default]
    Earliest,
    Uniform,
    Pct,
    Late,
    Dissent,
}

impl Kind {
    /// The word itself, and the keys that go with it.
    fn row(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Earliest => ("earliest", &[]),
            Self::Uniform => ("uniform", &[]),
            Self::Pct => ("pct", &["depth", "within"]),
            Self::Late => ("late", &["child"]),
            Self::Dissent => ("dissent", &["children"]),
        }
    }
}

/// The keys of every kind, in the order in which they are written.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, skip_serializing_if = "is_default")]
    kind: Kind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    depth: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    child: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    children: Option<Vec<u32>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pause: Vec<Pause>,
}

impl TryFrom<Fields> for Schedule {
    type Error = String;

    fn try_from(f: Fields) -> Result<Self, String> {
        let (kind, keys) = f.kind.row();
        let given = [
            ("depth", f.depth.is_some()),
            ("within", f.within.is_some()),
            ("child", f.child.is_some()),
            ("children", f.children.is_some()),
        ];
        let foreign = |&(key, given): &(&str, bool)| given && !keys.contains(&key);
        if let Some((key, _)) = given.iter().find(|key| foreign(key)) {
            let takes: String = keys.iter().map(|key| format!("`{key}`, ")).collect();
            return Err(format!(
                "`{key}` is no key of the schedule \"{kind}\": it takes {takes}`pause`"
            ));
        }
        let wants = |what: &str| format!("the schedule \"{kind}\" wants {what}");
        let order = match f.kind {
            Kind::Earliest => Order::Earliest,
            Kind::Uniform => Order::Uniform,
            Kind::Pct => {
                let depth = f.depth.ok_or_else(|| wants("`depth`, how many orders of disks"))?;
                Order::Pct { depth, within: f.within.unwrap_or(PCT_WITHIN) }
            }
            Kind::Late => Order::Late {
                child: f.child.ok_or_else(|| wants("`child`, the number of a disk"))?,
            },
            Kind::Dissent => Order::Dissent {
                children: f.children.ok_or_else(|| wants("`children`, a list of disks"))?,
            },
        };
        Ok(Self { order, pauses: f.pause })
    }
}

impl From<Schedule> for Fields {
    fn from(schedule: Schedule) -> Self {
        let fields = Self { pause: schedule.pauses, ..Self::default() };
        match schedule.order {
            Order::Earliest => fields,
            Order::Uniform => Self { kind: Kind::Uniform, ..fields },
            Order::Pct { depth, within } => {
                let (depth, within) = (Some(depth), (within != PCT_WITHIN).then_some(within));
                Self { kind: Kind::Pct, depth, within, ..fields }
            }
            Order::Late { child } => Self { kind: Kind::Late, child: Some(child), ..fields },
            Order::Dissent { children } => {
                Self { kind: Kind::Dissent, children: Some(children), ..fields }
            }
        }
    }
}

/// Within how many completions the orders of PCT change, if the file does not say.
const PCT_WITHIN: u64 = 256;
