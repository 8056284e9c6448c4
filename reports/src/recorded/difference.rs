//! Where two recordings of one run part, in words.

use crate::words;

/// What it is that differs first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// An event.
    Event,
    /// What the disks hold at the end.
    Media,
    /// What was thought of it.
    Verdict,
}

/// Where two runs of one scenario part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs first.
    pub place: Place,
    /// With how many events both begin.
    pub agreed: usize,
    /// The number of the first run's entry that is another one in the second, if it has one.
    pub entry: Option<usize>,
    /// How each of them ended.
    pub ends: [String; 2],
    /// The last lines that they share.
    pub both: Vec<String>,
    /// How the first goes on.
    pub here: Vec<String>,
    /// How the second goes on.
    pub there: Vec<String>,
}

impl Difference {
    /// Where they part, to end a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let events = words::counted(self.agreed as u64, "event", "events");
        let [here, there] = &self.ends;
        match self.place {
            Place::Event => format!("the first {events} are the same, the next one is not"),
            Place::Media => format!("all {events} are the same, the final media are not"),
            Place::Verdict => format!("it ended {here} here, and {there} there"),
        }
    }

    /// Both sides, in lines of JSON with a few before and after; nothing, if it is not in an event.
    #[must_use]
    pub fn sides(&self) -> String {
        let sides = [("both", &self.both), ("here", &self.here), ("there", &self.there)];
        let lines = sides
            .into_iter()
            .flat_map(|(who, lines)| lines.iter().map(move |line| format!("  {who:<5}  {line}\n")));
        lines.collect()
    }
}
