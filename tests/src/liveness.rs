//! Safety, then liveness: disks are healed or frozen for good, and what is left must finish or say what it
//! waits for.

use quorate_reports::{Run, Verdict};
use quorate_scenarios::{
    fuzz::attempt,
    load,
    model::{Action, Scenario, Stall},
    runner::Scratch,
};

/// An array of three disks of which two agree, and what is said beside that.
fn scenario(text: &str) -> Scenario {
    let whole = format!(
        "version = 1\nname = \"liveness\"\narray = {{ children = 3, vote-threshold = 2 }}\n\
         disk = {{ bytes = \"8KiB\" }}\n{text}"
    );
    load::parse(&whole, "liveness").unwrap_or_else(|e| panic!("{e}\n{whole}"))
}

fn run(scenario: &Scenario) -> Run {
    attempt::run(scenario, "liveness", None, &mut Scratch::default(), None)
}

#[track_caller]
fn held(text: &str) -> Run {
    let run = run(&scenario(text));
    assert_eq!(run.verdict, Verdict::Held, "{:?}", run.violations);
    run
}

const HANGS: &str = "[[rule]]\nname = \"hangs\"\non = \"read\"\nchild = 1\nwhen = { nth = 1 }\n\
                     do = { fault = \"hang\" }\n";

fn step(rest: &str) -> String {
    format!("[[step]]\ndo = {rest}\n")
}

fn read(rest: &str) -> String {
    step(&format!("\"read\"\nbytes = 512\n{rest}"))
}

#[test]
fn healing_ends_what_hangs() {
    let text = HANGS.to_owned()
        + &read("as = \"a\"\nexpect = \"ok\"\nevents = [\"bad c1 read 0+1 ECANCELED\"]")
        + &step("\"sleep\"\ntime = \"5ms\"")
        + &step("\"heal\"\nchildren = [1]")
        + &step("\"wait\"\nname = \"a\"")
        + &read("expect = \"ok\"\nevents = []");
    assert_eq!(held(&text).waits, Vec::<String>::new());
}

#[test]
fn healing_lifts_rot_and_ends_rules() {
    let rot = "[[rule]]\nname = \"rot\"\non = \"read\"\nchild = \"any\"\nwhere = { sectors = \"0\" }\n\
               do = { fault = \"rot\", bytes = 9, heal = \"never\" }\n";
    let text = rot.to_owned()
        + &read("expect = \"EIO\"")
        + &step("\"heal\"")
        + &read("expect = \"ok\"\nholds = 0\nevents = []");
    held(&text);
}

#[test]
fn a_frozen_disk_stays_as_it_is() {
    let write = step("\"write\"\nbytes = 512\nfill = 7\nexpect = \"ok\"");
    for (how, seen) in [
        ("\"dead\"", "bad c2 read 0+1 EIO"),
        ("\"dead\"\nerrno = \"ENOMEDIUM\"", "bad c2 read 0+1 ENOMEDIUM"),
        ("\"stale\"", "bad c2 read 0+1"),
    ] {
        let text = step(&format!("\"freeze\"\nchildren = [2]\nas = {how}"))
            + &write
            + &step("\"sleep\"\ntime = \"1s\"")
            + &read(&format!("expect = \"ok\"\nholds = 7\nevents = [\"{seen}\"]"))
            + &read(&format!("expect = \"ok\"\nholds = 7\nevents = [\"{seen}\"]"))
            + "[[expect.media]]\nchild = 2\nbytes = 512\nfill = 0\n";
        held(&text);
    }
}

#[test]
fn a_frozen_disk_that_hangs_is_named_for_each_request() {
    let freeze = step("\"freeze\"\nchildren = [2]\nas = \"hung\"");
    let text = freeze.clone()
        + "[[client]]\n[[client.step]]\ndo = \"sleep\"\ntime = \"1ms\"\n\
           [[client.step]]\ndo = \"write\"\nbytes = 1024\n\
           [[client]]\n[[client.step]]\ndo = \"sleep\"\ntime = \"2ms\"\n\
           [[client.step]]\ndo = \"read\"\noffset = 512\nbytes = 1024\n\
           [[client]]\n[[client.step]]\ndo = \"flush\"\nexpect = \"ok\"\n[expect]\nstall = \"hung\"\n";
    let waits = [
        "1.1 waits for c2, which hangs",
        "2.1 waits for request 1.1",
        "3.0 waits for c2, which hangs",
    ];
    let run = held(&text);
    let mut found = run.waits.clone();
    found.sort();
    assert_eq!(found, waits);
    // Without leave to stall it is a failure that says the same.
    let run = self::run(&scenario(
        &text.replace("\"hung\"\n[expect]", "\"dead\"\n[expect]").replace("stall = \"hung\"", ""),
    ));
    assert_eq!(run.verdict, Verdict::Stalled);
    let reason = &run.violations[0].reason;
    assert!(waits.iter().all(|wait| reason.contains(wait)), "{reason}");
    // A child that is removed is waited for no more.
    let removed = text.replace(
        &freeze,
        &(freeze.clone()
            + &step("\"sleep\"\ntime = \"9ms\"")
            + &step("\"remove-child\"\nname = \"children.2\"")),
    );
    assert_eq!(held(&removed).waits, Vec::<String>::new());
}

#[test]
fn what_is_held_back_by_something_else_is_not_explained() {
    for held_back in ["\"hold\"\nchild = 0", "\"order\"\nchildren = [0, 0]"] {
        let text = step(held_back)
            + &step("\"freeze\"\nchildren = [2]\nas = \"hung\"")
            + &read("")
            + "[expect]\nstall = \"hung\"\n";
        assert_eq!(run(&scenario(&text)).verdict, Verdict::Stalled, "{held_back}");
    }
    let text = HANGS.to_owned()
        + &read("")
        + "[limits]\nseconds = 1\n[expect]\nstall = \"hung\"\n\
           [[client]]\n[[client.step]]\ndo = \"sleep\"\ntime = \"2s\"\n";
    assert_eq!(run(&scenario(&text)).verdict, Verdict::Stalled, "over its limits");
}

/// A run that may stall need not.
#[test]
fn leave_to_stall_is_no_duty() {
    held(&(read("expect = \"ok\"") + "[expect]\nstall = \"hung\"\n"));
    let stalls = HANGS.to_owned() + &read("");
    for (stall, verdict) in
        [("false", Verdict::Stalled), ("\"hung\"", Verdict::Held), ("true", Verdict::Held)]
    {
        let scenario = scenario(&format!("{stalls}[expect]\nstall = {stall}\n"));
        assert_eq!(run(&scenario).verdict, verdict, "{stall}");
        let again = load::parse(&load::write(&scenario), "again").expect("it was written");
        assert_eq!(again.expect.stall, scenario.expect.stall);
        assert_eq!(scenario.expect.stall == Stall::Hung, stall == "\"hung\"");
    }
}

#[test]
fn a_client_joins_when_the_others_are_done_or_its_time_is_over() {
    let other = |time: &str| {
        format!(
            "[[client]]\n[[client.step]]\ndo = \"sleep\"\ntime = \"{time}\"\n\
                 [[client.step]]\ndo = \"write\"\nbytes = 512\nfill = 9\n"
        )
    };
    let joined = |time: &str, others: String, holds: u8| {
        let text =
            step(&format!("\"join\"\n{time}")) + &read(&format!("holds = {holds}")) + &others;
        held(&text);
    };
    joined("", other("1ms") + &other("7ms"), 9);
    joined("", String::new(), 0);
    joined("time = \"20ms\"", other("1ms") + &other("7ms"), 9);
    joined("time = \"5ms\"", other("6ms"), 0);
    // Requests in the background go on meanwhile.
    let text = step("\"write\"\nbytes = 512\nfill = 3\nas = \"w\"")
        + &step("\"join\"")
        + "[[client]]\n[[client.step]]\ndo = \"sleep\"\ntime = \"5ms\"\n\
           [[client.step]]\ndo = \"read\"\nbytes = 512\nholds = 3\n";
    held(&text);
    // Two that join each other wait for ever.
    let text = step("\"join\"") + "[[client]]\n[[client.step]]\ndo = \"join\"\n";
    assert_eq!(run(&scenario(&text)).verdict, Verdict::Stalled);
}

#[test]
fn steps_are_written_as_they_are_read() {
    let text = step("\"join\"")
        + &step("\"join\"\ntime = \"5ms\"")
        + &step("\"heal\"")
        + &step("\"heal\"\nchildren = [1]")
        + &step("\"freeze\"\nchildren = [0, 2]\nas = \"dead\"\nerrno = \"EPERM\"")
        + &step("\"freeze\"\nchildren = [1]\nas = \"hung\"")
        + &step("\"freeze\"\nchildren = [1]\nas = \"stale\"");
    let scenario = scenario(&text);
    assert_eq!(scenario.steps.len(), 7);
    assert!(matches!(scenario.steps[6], Action::Freeze { .. }));
    assert_eq!(load::parse(&load::write(&scenario), "again").expect("it was written"), scenario);
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (rest, said) in [
        ("\"freeze\"\nchildren = [1]", "wants `as`: \"dead\", \"hung\" or \"stale\""),
        (
            "\"freeze\"\nchildren = [1]\nas = \"slow\"",
            "wants `as`: \"dead\", \"hung\" or \"stale\"",
        ),
        ("\"freeze\"\nas = \"dead\"", "wants `children`"),
        ("\"freeze\"\nchildren = [1]\nas = \"hung\"\nerrno = \"EIO\"", "only with `as = \"dead\"`"),
        ("\"freeze\"\nchildren = [1]\nas = \"dead\"\nerrno = \"EOI\"", "'EOI' is no error"),
        ("\"freeze\"\nchildren = [3]\nas = \"dead\"", "there is no disk 3"),
        ("\"heal\"\nchildren = [3]", "there is no disk 3"),
        ("\"heal\"\nchild = 1", "`child` is no key of step \"heal\": it takes `children`"),
        ("\"join\"\ntime = \"1ms..2ms\"", "wants one `time`, or none"),
    ] {
        let text = format!(
            "version = 1\nname = \"x\"\narray = {{ children = 3, vote-threshold = 2 }}\n{}",
            step(rest)
        );
        let error = load::parse(&text, "x").expect_err(rest).to_string();
        assert!(error.contains(said), "{rest}: {error}");
    }
    let text = "version = 1\nname = \"x\"\narray = { children = 3, vote-threshold = 2 }\n\
                expect = { stall = \"maybe\" }\n";
    let error = load::parse(text, "x").expect_err("no such word").to_string();
    assert!(error.contains("true, false or \"hung\""), "{error}");
}
