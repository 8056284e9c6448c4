//! What is refused of an array's options, and in which words: ours beside QEMU's, for definitions that are drawn.

mod decided;
mod draw;
mod sides;

use super::{Compared, Known};
use quorate_qemu::{Error, Program, Version};
use serde_json::Value;
pub use sides::{Definition, Nobody, Opened, daemon, graph};
use sides::{Ours, Theirs};

/// Compares options. It keeps a daemon and a `qemu-io` for all.
pub struct Options {
    version: Version,
    ours: Ours,
    theirs: Theirs,
}

/// A pair of answers, and what explains that they differ.
struct Answers {
    ours: Opened,
    theirs: Opened,
    explained: Option<(Known, Definition)>,
}

impl Options {
    /// Starts QEMU.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(program: &Program) -> Result<Self, Error> {
        let theirs = Theirs::start(program)?;
        Ok(Self { version: program.version(), ours: Ours::new(), theirs })
    }

    /// Puts the definition of a seed to both sides. Where they differ it is shrunk.
    ///
    /// # Errors
    /// QEMU hangs, or says what it never said.
    pub fn compare(&mut self, seed: u64) -> Result<Compared, Error> {
        let definition = definition(seed, self.version);
        self.compare_definition(&definition)
    }

    /// Puts a definition to both sides. Where they differ it is shrunk.
    ///
    /// # Errors
    /// As [`Options::compare`].
    pub fn compare_definition(&mut self, definition: &Definition) -> Result<Compared, Error> {
        let (known, differs) = self.differs(definition)?;
        let mut compared = Compared { operations: 1, known, difference: None };
        let Some(mut told) = differs else { return Ok(compared) };
        let mut least = definition.clone();
        'shrinking: loop {
            for candidate in parts(&least) {
                if let (_, Some(difference)) = self.differs(&candidate)? {
                    (least, told) = (candidate, difference);
                    continue 'shrinking;
                }
            }
            break;
        }
        compared.difference = Some(told);
        Ok(compared)
    }

    /// What our engine makes of a definition.
    #[must_use]
    pub fn ours(&self, definition: &Definition) -> Opened {
        self.ours.open(definition).0
    }

    /// What QEMU makes of it.
    ///
    /// # Errors
    /// As [`Options::compare`].
    pub fn theirs(&mut self, definition: &Definition) -> Result<Opened, Error> {
        self.theirs.open(definition)
    }

    /// What is known to differ in a definition, and what else differs once that is left out.
    fn differs(&mut self, definition: &Definition) -> Result<(Vec<Known>, Option<String>), Error> {
        let mut known = Vec::new();
        let mut definition = definition.clone();
        let mut expected = None;
        loop {
            let Answers { ours, theirs, explained } = self.answers(&definition)?;
            if let Some(expected) = expected.filter(|expected| *expected != theirs) {
                let text = format!(
                    "{definition}\ncomes to {theirs} with QEMU, and to {expected} with what is known to differ"
                );
                return Ok((known, Some(text)));
            }
            if ours == theirs {
                return Ok((known, None));
            }
            match explained {
                Some((why, without)) => {
                    known.push(why);
                    definition = without;
                    expected = decided::is_nothing_to_qemu(why).then_some(theirs);
                }
                None => {
                    let text =
                        format!("{definition}\ncomes to {ours} with us and to {theirs} with QEMU");
                    return Ok((known, Some(text)));
                }
            }
        }
    }

    fn answers(&mut self, definition: &Definition) -> Result<Answers, Error> {
        let (ours, error) = self.ours.open(definition);
        let theirs = self.theirs.open(definition)?;
        let explained = decided::explained(definition, error.as_ref(), &theirs);
        Ok(Answers { ours, theirs, explained })
    }
}

/// The definition of a seed, as far as a QEMU of this version knows its options.
#[must_use]
pub fn definition(seed: u64, version: Version) -> Definition {
    let mut definition = draw::definition(seed);
    if let Definition::Json(value) = &mut definition
        && version < HAS_ACTIVE
    {
        forget_active(value);
    }
    definition
}

fn forget_active(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("active");
            object.values_mut().for_each(forget_active);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_active),
        _ => {}
    }
}

/// Every definition that lacks one of what it says.
fn parts(definition: &Definition) -> Vec<Definition> {
    match definition {
        Definition::Json(value) => {
            // That it is an array need not be said to us.
            let arrays = less(value).into_iter().filter(|less| less.get("driver").is_some());
            arrays.map(Definition::Json).collect()
        }
        Definition::Dotted(options) => {
            let without = |at: usize| {
                let mut less = options.clone();
                less.remove(at);
                Definition::Dotted(less)
            };
            // Without any there is nothing to open.
            (0..options.len()).filter(|_| options.len() > 1).map(without).collect()
        }
    }
}

/// Every value that lacks a member of this one's, or of one inside it.
fn less(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(object) => {
            for name in object.keys() {
                let mut without = object.clone();
                without.remove(name);
                all.push(without.into());
            }
            for (name, inner) in object {
                for inner in less(inner) {
                    let mut with = object.clone();
                    with.insert(name.clone(), inner);
                    all.push(with.into());
                }
            }
        }
        Value::Array(values) => {
            for at in 0..values.len() {
                let mut without = values.clone();
                without.remove(at);
                all.push(without.into());
            }
            for (at, inner) in values.iter().enumerate() {
                for inner in less(inner) {
                    let mut with = values.clone();
                    with[at] = inner;
                    all.push(with.into());
                }
            }
        }
        _ => {}
    }
    all
}

/// The first version with the option `active`.
const HAS_ACTIVE: Version = Version { major: 10, minor: 0, micro: 0 };
