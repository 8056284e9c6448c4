//! Colour as a value: the caller decides whether there is any, text never depends on it.

use anstyle::{AnsiColor, Style};

/// Whether text is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colour {
    /// Plain text.
    #[default]
    Off,
    /// ANSI escape sequences.
    On,
}

/// What a piece of text is, for whoever gives it a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Faint,
    Strong,
    Good,
    Bad,
    Fault,
    /// A version of some data, by its order of appearance.
    Version(usize),
}

impl Colour {
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let style = tone.style();
        match self {
            Self::On if !text.is_empty() => {
                format!("{}{text}{}", style.render(), style.render_reset())
            }
            Self::On | Self::Off => text.into(),
        }
    }
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Faint => Style::new().dimmed(),
            Self::Strong => Style::new().bold(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Fault => AnsiColor::Yellow.on_default(),
            Self::Version(nth) => VERSIONS[nth % VERSIONS.len()].on_default(),
        }
    }
}

/// Apart from each other, and from the red of errors and the yellow of faults.
const VERSIONS: [AnsiColor; 4] =
    [AnsiColor::Cyan, AnsiColor::Magenta, AnsiColor::Blue, AnsiColor::Green];
