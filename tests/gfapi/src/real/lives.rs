//! What is left of a glusterd whose program ends: nothing.

use super::{
    cases::{Case, say},
    contained::containers,
    faults::{back_within, disturb},
    require,
    volume::PATIENT,
};
use quorate_glusterd::{
    Disturbance, Glusterd, Leftover, Place, Wanted, leftovers, missing, namespace,
};
use std::{
    env, fs,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::Duration,
};

pub(crate) const CASES: &[Case<()>] = &[
    ("nothing_is_left_of_a_namespace_whose_program_is_killed", |()| {
        nothing_is_left("namespace", "-KILL", "");
    }),
    ("nothing_is_left_of_a_container_whose_program_is_killed", |()| {
        nothing_is_left("container", "-KILL", "");
    }),
    ("nothing_is_left_of_a_namespace_after_ctrl_c", |()| nothing_is_left("namespace", "-INT", "-")),
    ("nothing_is_left_of_a_container_after_ctrl_c", |()| nothing_is_left("container", "-INT", "-")),
    ("two_at_once_do_not_meet", two_at_once_do_not_meet),
    ("an_exit_code_is_passed_on", an_exit_code_is_passed_on),
    ("a_namespace_has_to_be_entered", a_namespace_has_to_be_entered),
    ("only_what_is_nobodys_is_left", only_what_is_nobodys_is_left),
];

fn two_at_once_do_not_meet((): &()) {
    if !namespaces() {
        return;
    }
    let (one, other) = (holding("namespace"), holding("namespace"));
    let (ones, others) = (one.mark.clone(), other.mark.clone());
    drop(one);
    assert!(back_within(GONE, || !runs("", &ones)));
    assert!(runs("glusterfsd", &others), "the other has its own");
    drop(other);
    assert!(back_within(GONE, || !runs("", &others)));
}

fn an_exit_code_is_passed_on((): &()) {
    if !namespaces() {
        return;
    }
    let mut program = held("exit").spawn().unwrap();
    assert_eq!(program.wait().unwrap().code(), Some(100));
    assert_eq!(left_of(program.id()), Vec::<String>::new());
}

fn a_namespace_has_to_be_entered((): &()) {
    let outside = Glusterd::start(&Place::Namespace, &[Wanted::default()], PATIENT);
    let outside = outside.unwrap_err();
    assert!(matches!(outside, quorate_glusterd::Error::Outside), "{outside}");
}

fn only_what_is_nobodys_is_left((): &()) {
    let mut gone = Command::new("true").spawn().unwrap();
    gone.wait().unwrap();
    let directory = |name: String| {
        let path = env::temp_dir().join(name);
        fs::create_dir_all(path.join("brick")).unwrap();
        path
    };
    let orphan = directory(format!("quorate-gluster-{}-17-0", gone.id()));
    let stranger = directory("quorate-gluster-of-others".into());
    let found = leftovers();
    let of = |path: &PathBuf| found.iter().find(|left| **left == Leftover::Directory(path.clone()));
    assert_eq!(of(&stranger), None);
    of(&orphan).expect("its process is gone").remove().unwrap();
    assert!(!orphan.exists());
    fs::remove_dir_all(stranger).unwrap();
}

/// After a signal to a program, or, with a "-", to all of its group, as from a terminal.
#[track_caller]
fn nothing_is_left(place: &str, signal: &str, group: &str) {
    if !(if place == "container" { containers() } else { namespaces() }) {
        return;
    }
    let mut holding = holding(place);
    let (pid, mark) = (holding.program.id(), holding.mark.clone());
    assert!(runs("glusterfsd", &mark), "the brick of {mark}");
    assert_ne!(left_of(pid), Vec::<String>::new());
    let mut kill = Command::new("kill");
    assert!(kill.args([signal, "--", &format!("{group}{pid}")]).status().unwrap().success());
    assert_eq!(holding.program.wait().unwrap().code(), None, "a signal ended it");
    let gone = || !runs("", &mark) && left_of(pid).is_empty();
    assert!(back_within(GONE, gone), "{:?}", left_of(pid));
}

/// A program with a glusterd, the brick of which is paused.
struct Holding {
    program: Child,
    /// What its bricks have in their command lines, and nobody else has.
    mark: String,
}

/// It is killed, if it still runs.
impl Drop for Holding {
    fn drop(&mut self) {
        self.program.kill().unwrap();
        self.program.wait().unwrap();
    }
}

#[track_caller]
fn holding(place: &str) -> Holding {
    let program = held(place).stdout(Stdio::piped()).spawn().unwrap();
    // In a container there is no directory to be named after the process, and in a namespace processes have
    // other numbers.
    let mut holding = Holding { mark: format!("quorate-gluster-{}-", program.id()), program };
    let mut said = BufReader::new(holding.program.stdout.take().unwrap()).lines();
    let volume = said.next().expect("it says when it is there").unwrap();
    if place == "container" {
        holding.mark = volume;
    }
    holding
}

fn held(place: &str) -> Command {
    // Whoever tests in the background has Ctrl-C ignored, and so would all that is started.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(env::current_exe().unwrap());
    command.env(HOLD, place).stdin(Stdio::null()).process_group(0);
    command
}

/// What this program is to do instead of testing.
pub(crate) fn hold(place: &str) -> ExitCode {
    if !namespace::inside() && place != "container" {
        return namespace::enter([]).expect("nothing is missing").into();
    }
    if place == "exit" {
        return ExitCode::from(100);
    }
    let glusterd = Glusterd::start(&place.parse().unwrap(), &[Wanted::default()], PATIENT);
    let glusterd = glusterd.unwrap_or_else(|error| panic!("{error}"));
    disturb(&glusterd, 0, &Disturbance::Pause);
    say(glusterd.volume(0));
    thread::sleep(Duration::from_secs(600));
    ExitCode::FAILURE
}

/// Whether there is a process with both in its command line, in whatever namespace.
pub(crate) fn runs(program: &str, mark: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let line = fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line);
        line.contains(program) && line.contains(mark)
    })
}

/// The directories and containers that were this process's.
pub(crate) fn left_of(pid: u32) -> Vec<String> {
    let names = fs::read_dir(env::temp_dir()).unwrap().flatten();
    let mut names: Vec<_> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    for tool in ["podman", "docker"] {
        // Where there is no such tool there are no containers.
        if let Ok(said) = Command::new(tool).args(["ps", "-a", "--format", "{{.Names}}"]).output() {
            names.extend(String::from_utf8(said.stdout).unwrap().lines().map(Into::into));
        }
    }
    names.retain(|name| name.starts_with(&format!("quorate-gluster-{pid}-")));
    names
}

pub(crate) fn namespaces() -> bool {
    let lacking = missing::sentence(&missing::namespace());
    if let Some(reason) = &lacking {
        require::skip("gluster", reason);
    }
    lacking.is_none()
}

/// The variable that says where this program is to hold a glusterd.
pub(crate) const HOLD: &str = "QUORATE_TEST_HOLD";

/// By when everything is gone.
const GONE: Duration = Duration::from_secs(20);
