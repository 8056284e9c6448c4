//! A shell beside glusterd that is asked line by line; it ends when nobody asks any more.

use crate::Error;
use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError},
    },
    time::Duration,
};

/// A shell that does what each line says.
#[derive(Debug)]
pub(crate) struct Shell {
    /// One question at a time.
    asked: Mutex<Asked>,
    number: u32,
    patience: Duration,
}

#[derive(Debug)]
struct Asked {
    child: Child,
    /// Gone with the shell, which sees the end of its input.
    questions: Option<ChildStdin>,
    answers: Receiver<Answer>,
}

/// The exit code, and what was said.
type Answer = (i32, String);

impl Shell {
    /// Starts it, as `command` does, which ends up in [`SERVE`].
    pub(crate) fn start(mut command: Command, patience: Duration) -> Result<Self, Error> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Ctrl-C is for this program to hear.
        command.process_group(0);
        let program = command.get_program().to_string_lossy().into_owned();
        let mut child = command.spawn().map_err(|source| Error::Process { program, source })?;
        let questions = child.stdin.take();
        let mut said = BufReader::new(child.stdout.take().expect("it is piped"));
        let (tell, answers) = mpsc::channel();
        quorate_pool::detach(move || {
            while let Some(answer) = next(&mut said) {
                if tell.send(answer).is_err() {
                    break;
                }
            }
        });
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        Ok(Self { asked: Mutex::new(Asked { child, questions, answers }), number, patience })
    }

    /// Which of this process it is.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Waits for glusterd, and says where it is.
    pub(crate) fn ready(&self) -> Result<String, Error> {
        // A try takes about 60 ms, or twice that.
        let tries = (self.patience.as_millis() / 150).max(1).to_string();
        self.ask(&["ready", &tries])
    }

    /// Has it do what the words say, the first of which is a function of [`SERVE`].
    pub(crate) fn ask(&self, words: &[&str]) -> Result<String, Error> {
        let asked = words.join(" ");
        let line = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ") + "\n";
        let mut shell = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(questions) = &mut shell.questions else {
            return Err(Error::Gone { asked, said: "nothing in time before".into() });
        };
        if questions.write_all(line.as_bytes()).is_err() {
            return Err(shell.gone(asked));
        }
        match shell.answers.recv_timeout(self.patience) {
            Ok((0, said)) => Ok(said.trim().into()),
            Ok((_, said)) => Err(Error::Refused { asked, said: said.trim().into() }),
            Err(RecvTimeoutError::Disconnected) => Err(shell.gone(asked)),
            Err(RecvTimeoutError::Timeout) => {
                // The next answer would be this one's.
                shell.questions = None;
                Err(Error::Silent { asked, patience: self.patience })
            }
        }
    }
}

impl Asked {
    fn gone(&mut self, asked: String) -> Error {
        self.questions = None;
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            // Words that cannot be read are no words.
            let _ = stderr.read_to_string(&mut said);
        }
        Error::Gone { asked, said: said.trim().into() }
    }
}

/// The shell ends by itself when its input does; here nobody waits for what it is still doing.
impl Drop for Shell {
    fn drop(&mut self) {
        let shell = self.asked.get_mut().unwrap_or_else(PoisonError::into_inner);
        shell.questions = None;
        // One that has ended already cannot be killed, which is as good.
        let _ = shell.child.kill();
        let _ = shell.child.wait();
    }
}

fn next(said: &mut BufReader<ChildStdout>) -> Option<Answer> {
    let mut head = String::new();
    said.read_line(&mut head).ok()?;
    let (code, bytes) = head.trim_end().split_once(' ')?;
    let (code, bytes) = (code.parse().ok()?, bytes.trim().parse().ok()?);
    let mut text = vec![0; bytes];
    said.read_exact(&mut text).ok()?;
    Some((code, String::from_utf8_lossy(&text).into_owned()))
}

/// A word, whatever is in it. A line is a question, so a word is one line.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''").replace('\n', " "))
}

/// What the shell is: its arguments are glusterd's address and the directory for bricks.
pub(crate) const SERVE: &str = include_str!("serve.sh");
