//! The table of a step: one flat struct with the keys of every kind, so that a mistake is reported
//! where it stands. Which key belongs to which kind is checked here.

mod values;

use super::{Action, Expected, Payload, Request, Selection};
use crate::model::{gluster::Disturbance, words::EventLine};
use quorate_engine::{Errno, Flags};
use quorate_faults::{
    alteration::{Flip, Run},
    device::Frozen,
    fault::{Crash, CrashFields, Kept, Rest, Torn},
    rule::OpKind,
    text::{Size, Time, TimeRange},
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use values::{ErrnoText, ExtentText, TimeText, Wanted};

impl Serialize for Action {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Fields::from(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Self::try_from(Fields::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Verb {
    Read,
    Write,
    WriteZeroes,
    Discard,
    Flush,
    BlockStatus,
    Length,
    Truncate,
    Invalidate,
    Close,
    Wait,
    Drop,
    Sleep,
    Hold,
    Release,
    Order,
    Latency,
    Corrupt,
    CutPower,
    Join,
    Heal,
    Freeze,
    KillBrick,
    StartBrick,
    PauseBrick,
    ResumeBrick,
    CutBrick,
    AwaitBrick,
    FillBrick,
    FreeBrick,
    FailBrick,
    SlowBrick,
    MendBrick,
    AddChild,
    RemoveChild,
}

/// Every key of every step, in the order in which they are written.
macro_rules! fields {
    ($($key:ident $(as $name:literal)?: $kind:ty,)+) => {
        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        struct Fields {
            r#do: Verb,
            $(
                #[serde(default, skip_serializing_if = "Option::is_none")]
                $(#[serde(rename = $name)])?
                $key: Option<$kind>,
            )+
        }

        impl Fields {
            fn new(verb: Verb) -> Self {
                Self { r#do: verb, $($key: None),+ }
            }

            /// The names of the keys that the table has.
            fn given(&self) -> Vec<String> {
                let mut given = Vec::new();
                $(if self.$key.is_some() {
                    let name = [$($name,)? stringify!($key)][0];
                    given.push(name.replace('_', "-"));
                })+
                given
            }
        }
    };
}

fields! {
    offset: Size,
    bytes: Size,
    fill: u8,
    fua: bool,
    may_unmap: bool,
    no_fallback: bool,
    background as "as": String,
    child: u32,
    name: String,
    time: TimeText,
    on: OpKind,
    count: usize,
    children: Vec<u32>,
    errno: ErrnoText,
    expect: Wanted,
    holds: u8,
    length: Size,
    extent: ExtentText,
    events: Vec<EventLine>,
    refused: String,
    keep: Kept,
    torn: Torn,
    rest: Rest,
    reorder: bool,
    runs: Vec<Run>,
    flips: Vec<Flip>,
    down: Time,
}

impl Verb {
    fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::WriteZeroes => "write-zeroes",
            Self::Discard => "discard",
            Self::Flush => "flush",
            Self::BlockStatus => "block-status",
            Self::Length => "length",
            Self::Truncate => "truncate",
            Self::Invalidate => "invalidate",
            Self::Close => "close",
            Self::Wait => "wait",
            Self::Drop => "drop",
            Self::Sleep => "sleep",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Order => "order",
            Self::Latency => "latency",
            Self::Corrupt => "corrupt",
            Self::CutPower => "cut-power",
            Self::Join => "join",
            Self::Heal => "heal",
            Self::Freeze => "freeze",
            Self::KillBrick => "kill-brick",
            Self::StartBrick => "start-brick",
            Self::PauseBrick => "pause-brick",
            Self::ResumeBrick => "resume-brick",
            Self::CutBrick => "cut-brick",
            Self::AwaitBrick => "await-brick",
            Self::FillBrick => "fill-brick",
            Self::FreeBrick => "free-brick",
            Self::FailBrick => "fail-brick",
            Self::SlowBrick => "slow-brick",
            Self::MendBrick => "mend-brick",
            Self::AddChild => "add-child",
            Self::RemoveChild => "remove-child",
        }
    }

    fn of_brick(what: Disturbance) -> Self {
        match what {
            Disturbance::Kill => Self::KillBrick,
            Disturbance::Start => Self::StartBrick,
            Disturbance::Pause => Self::PauseBrick,
            Disturbance::Resume => Self::ResumeBrick,
            Disturbance::Cut => Self::CutBrick,
            Disturbance::Await => Self::AwaitBrick,
            Disturbance::Fill => Self::FillBrick,
            Disturbance::Free => Self::FreeBrick,
            Disturbance::Fail => Self::FailBrick,
            Disturbance::Slow => Self::SlowBrick,
            Disturbance::Mend => Self::MendBrick,
        }
    }

    /// The keys that the verb takes.
    fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["offset", "bytes", "as", "expect", "holds", "events"],
            Self::Write => &["offset", "bytes", "fill", "fua", "as", "expect", "events"],
            Self::WriteZeroes => {
                &["offset", "bytes", "fua", "may-unmap", "no-fallback", "as", "expect", "events"]
            }
            Self::Discard => &["offset", "bytes", "as", "expect", "events"],
            Self::Flush | Self::Invalidate | Self::Close => &["as", "expect", "events"],
            Self::BlockStatus => &["offset", "bytes", "as", "expect", "extent", "events"],
            Self::Length => &["as", "expect", "length", "events"],
            Self::Truncate => &["bytes", "as", "expect", "events"],
            Self::Wait | Self::Drop => &["name"],
            Self::Sleep => &["time"],
            Self::Hold => &["child", "on"],
            Self::Release => &["child", "on", "count"],
            Self::Order => &["children"],
            Self::Latency => &["child", "time"],
            Self::Corrupt => &["child", "offset", "bytes", "fill"],
            Self::CutPower => {
                &["children", "keep", "torn", "rest", "reorder", "runs", "flips", "down"]
            }
            Self::Heal => &["children"],
            Self::Join => &["time"],
            Self::Freeze => &["children", "as", "errno"],
            Self::KillBrick
            | Self::StartBrick
            | Self::PauseBrick
            | Self::ResumeBrick
            | Self::CutBrick
            | Self::AwaitBrick
            | Self::FillBrick
            | Self::FreeBrick
            | Self::FailBrick
            | Self::SlowBrick
            | Self::MendBrick => &["child"],
            Self::AddChild => &["child", "refused"],
            Self::RemoveChild => &["name", "refused"],
        }
    }
}

impl TryFrom<Fields> for Action {
    type Error = String;

    fn try_from(f: Fields) -> Result<Self, String> {
        let (verb, takes) = (f.r#do, f.r#do.takes());
        if let Some(key) = f.given().iter().find(|key| !takes.contains(&key.as_str())) {
            let takes = takes.join("`, `");
            return Err(format!(
                "`{key}` is no key of step \"{}\": it takes `{takes}`",
                verb.word()
            ));
        }
        let wants = |what: &str| format!("step \"{}\" wants {what}", verb.word());
        let bytes = || f.bytes.map(|b| b.0).ok_or_else(|| wants("`bytes`"));
        let child = || f.child.ok_or_else(|| wants("`child`, the number of a disk"));
        let fill = || f.fill.ok_or_else(|| wants("`fill`, a byte"));
        let name = |what| f.name.clone().ok_or_else(|| wants(what));
        let offset = f.offset.unwrap_or_default().0;
        let flags = Flags {
            fua: f.fua.unwrap_or_default(),
            may_unmap: f.may_unmap.unwrap_or_default(),
            no_fallback: f.no_fallback.unwrap_or_default(),
        };
        let which = Selection { child: f.child, on: f.on };
        let request = match verb {
            Verb::Read => Request::Read { offset, bytes: bytes()? },
            Verb::Write => {
                let payload = f.fill.map_or(Payload::Stamp, Payload::Fill);
                Request::Write { offset, bytes: bytes()?, payload, flags }
            }
            Verb::WriteZeroes => Request::WriteZeroes { offset, bytes: bytes()?, flags },
            Verb::Discard => Request::Discard { offset, bytes: bytes()? },
            Verb::Flush => Request::Flush,
            Verb::BlockStatus => Request::BlockStatus { offset, bytes: bytes()? },
            Verb::Length => Request::Length,
            Verb::Truncate => Request::Truncate { bytes: bytes()? },
            Verb::Invalidate => Request::Invalidate,
            Verb::Close => Request::Close,
            Verb::Wait => return Ok(Self::Wait { name: name("`name`, as given by `as`")? }),
            Verb::Drop => return Ok(Self::Drop { name: name("`name`, as given by `as`")? }),
            Verb::Sleep => match f.time {
                Some(TimeText::One(time)) => return Ok(Self::Sleep(time)),
                _ => return Err(wants("`time`, a duration")),
            },
            Verb::Hold => return Ok(Self::Hold(which)),
            Verb::Release => return Ok(Self::Release { which, count: f.count }),
            Verb::Order => {
                return Ok(Self::Order(f.children.ok_or_else(|| wants("`children`, a list"))?));
            }
            Verb::Latency => {
                let time = match f.time {
                    Some(TimeText::Range(range)) => range,
                    Some(TimeText::One(time)) => TimeRange { start: time.0, end: Some(time.0) },
                    None => return Err(wants("`time`, a duration or a range")),
                };
                return Ok(Self::Latency { child: child()?, time });
            }
            Verb::Corrupt => {
                let (child, bytes, fill) = (child()?, bytes()?, fill()?);
                return Ok(Self::Corrupt { child, offset, bytes, fill });
            }
            Verb::CutPower => {
                let fails = f.down.is_some();
                let crash = f.crash().map_err(wants)?;
                return Ok(Self::CutPower { children: f.children, crash, fails });
            }
            Verb::Join => match f.time {
                None => return Ok(Self::Join(None)),
                Some(TimeText::One(time)) => return Ok(Self::Join(Some(time))),
                Some(TimeText::Range(_)) => return Err(wants("one `time`, or none")),
            },
            Verb::Heal => return Ok(Self::Heal { children: f.children }),
            Verb::Freeze => {
                let how = match (f.background.as_deref(), f.errno) {
                    (Some("dead"), errno) => Frozen::Dead(errno.map_or(Errno::EIO, |e| e.0)),
                    (Some("hung"), None) => Frozen::Hung,
                    (Some("stale"), None) => Frozen::Stale,
                    (Some("hung" | "stale"), Some(_)) => {
                        return Err(wants("`errno` only with `as = \"dead\"`"));
                    }
                    _ => return Err(wants("`as`: \"dead\", \"hung\" or \"stale\"")),
                };
                let children = f.children.ok_or_else(|| wants("`children`, a list"))?;
                return Ok(Self::Freeze { children, how });
            }
            Verb::KillBrick => return Ok(Self::Brick { child: child()?, what: Disturbance::Kill }),
            Verb::StartBrick => {
                return Ok(Self::Brick { child: child()?, what: Disturbance::Start });
            }
            Verb::PauseBrick => {
                return Ok(Self::Brick { child: child()?, what: Disturbance::Pause });
            }
            Verb::ResumeBrick => {
                return Ok(Self::Brick { child: child()?, what: Disturbance::Resume });
            }
            Verb::CutBrick => return Ok(Self::Brick { child: child()?, what: Disturbance::Cut }),
            Verb::AwaitBrick => {
                return Ok(Self::Brick { child: child()?, what: Disturbance::Await });
            }
            Verb::FillBrick => return Ok(Self::Brick { child: child()?, what: Disturbance::Fill }),
            Verb::FreeBrick => return Ok(Self::Brick { child: child()?, what: Disturbance::Free }),
            Verb::FailBrick => return Ok(Self::Brick { child: child()?, what: Disturbance::Fail }),
            Verb::SlowBrick => return Ok(Self::Brick { child: child()?, what: Disturbance::Slow }),
            Verb::MendBrick => return Ok(Self::Brick { child: child()?, what: Disturbance::Mend }),
            Verb::AddChild => return Ok(Self::Add { child: child()?, refused: f.refused }),
            Verb::RemoveChild => {
                let name = name("`name`, such as \"children.1\"")?;
                return Ok(Self::Remove { name, refused: f.refused });
            }
        };
        let expected = Expected {
            result: f.expect.map(|w| w.0),
            holds: f.holds,
            length: f.length.map(|l| l.0),
            extent: f.extent.map(|e| e.0),
            events: f.events,
        };
        Ok(Self::Request { request, background: f.background, expected })
    }
}

impl From<&Action> for Fields {
    fn from(action: &Action) -> Self {
        let select =
            |verb, which: &Selection| Self { child: which.child, on: which.on, ..Self::new(verb) };
        match action {
            Action::Request { request, background, expected } => {
                let mut fields = Self::from_request(request);
                fields.background.clone_from(background);
                fields.expect = expected.result.map(Wanted);
                fields.holds = expected.holds;
                fields.length = expected.length.map(Size);
                fields.extent = expected.extent.map(ExtentText);
                fields.events.clone_from(&expected.events);
                fields
            }
            Action::Wait { name } => Self { name: Some(name.clone()), ..Self::new(Verb::Wait) },
            Action::Drop { name } => Self { name: Some(name.clone()), ..Self::new(Verb::Drop) },
            Action::Sleep(time) => {
                Self { time: Some(TimeText::One(*time)), ..Self::new(Verb::Sleep) }
            }
            Action::Hold(which) => select(Verb::Hold, which),
            Action::Release { which, count } => {
                Self { count: *count, ..select(Verb::Release, which) }
            }
            Action::Order(children) => {
                Self { children: Some(children.clone()), ..Self::new(Verb::Order) }
            }
            Action::Latency { child, time } => Self {
                child: Some(*child),
                time: Some(TimeText::Range(*time)),
                ..Self::new(Verb::Latency)
            },
            Action::Corrupt { child, offset, bytes, fill } => Self {
                child: Some(*child),
                fill: Some(*fill),
                ..Self::new(Verb::Corrupt).at(*offset, *bytes)
            },
            Action::CutPower { children, crash, fails } => {
                let of = Self { children: children.clone(), ..Self::new(Verb::CutPower) };
                let CrashFields { keep, torn, rest, reorder, runs, flips, .. } = crash.into();
                let down = fails.then_some(Time(crash.down));
                Self { keep, torn, rest, reorder, runs, flips, down, ..of }
            }
            Action::Join(time) => Self { time: time.map(TimeText::One), ..Self::new(Verb::Join) },
            Action::Heal { children } => {
                Self { children: children.clone(), ..Self::new(Verb::Heal) }
            }
            Action::Freeze { children, how } => {
                let (word, errno) = match how {
                    Frozen::Dead(errno) => ("dead", Some(ErrnoText(*errno))),
                    Frozen::Hung => ("hung", None),
                    Frozen::Stale => ("stale", None),
                };
                let (children, background) = (Some(children.clone()), Some(word.into()));
                Self { children, background, errno, ..Self::new(Verb::Freeze) }
            }
            Action::Brick { child, what } => {
                Self { child: Some(*child), ..Self::new(Verb::of_brick(*what)) }
            }
            Action::Add { child, refused } => {
                Self { child: Some(*child), refused: refused.clone(), ..Self::new(Verb::AddChild) }
            }
            Action::Remove { name, refused } => Self {
                name: Some(name.clone()),
                refused: refused.clone(),
                ..Self::new(Verb::RemoveChild)
            },
        }
    }
}

impl Fields {
    fn crash(&self) -> Result<Crash, &'static str> {
        CrashFields {
            keep: self.keep.clone(),
            torn: self.torn.clone(),
            rest: self.rest,
            reorder: self.reorder,
            runs: self.runs.clone(),
            flips: self.flips.clone(),
            down: self.down.map(|time| time.0),
            errno: None,
        }
        .try_into()
    }

    fn at(self, offset: u64, bytes: u64) -> Self {
        let offset = (offset != 0).then_some(Size(offset));
        Self { offset, bytes: Some(Size(bytes)), ..self }
    }

    fn with(self, flags: Flags) -> Self {
        let given = |flag: bool| flag.then_some(true);
        Self {
            fua: given(flags.fua),
            may_unmap: given(flags.may_unmap),
            no_fallback: given(flags.no_fallback),
            ..self
        }
    }

    fn from_request(request: &Request) -> Self {
        match *request {
            Request::Read { offset, bytes } => Self::new(Verb::Read).at(offset, bytes),
            Request::Write { offset, bytes, payload, flags } => {
                let fill = match payload {
                    Payload::Fill(byte) => Some(byte),
                    Payload::Stamp => None,
                };
                Self { fill, ..Self::new(Verb::Write).at(offset, bytes).with(flags) }
            }
            Request::WriteZeroes { offset, bytes, flags } => {
                Self::new(Verb::WriteZeroes).at(offset, bytes).with(flags)
            }
            Request::Discard { offset, bytes } => Self::new(Verb::Discard).at(offset, bytes),
            Request::Flush => Self::new(Verb::Flush),
            Request::BlockStatus { offset, bytes } => {
                Self::new(Verb::BlockStatus).at(offset, bytes)
            }
            Request::Length => Self::new(Verb::Length),
            Request::Truncate { bytes } => {
                Self { bytes: Some(Size(bytes)), ..Self::new(Verb::Truncate) }
            }
            Request::Invalidate => Self::new(Verb::Invalidate),
            Request::Close => Self::new(Verb::Close),
        }
    }
}
