//! `quorate doctor`.

use super::quorate;
use quorate_scenarios::cli::exit;
use serde_json::Value;

#[test]
fn whatever_is_not_here_comes_with_a_remedy_and_can_be_required() {
    let found = quorate(&["doctor", "--format", "json"]);
    assert_eq!((found.code, &*found.err), (exit::HELD, ""));
    let found = found.json();
    let mut gluster = false;
    let mut names = Vec::new();
    for environment in found["environments"].as_array().expect("a list") {
        let name = environment["environment"].as_str().expect("a name");
        let missing = environment["missing"].as_array().expect("a list");
        let there = environment["there"] == true;
        assert_eq!(there, missing.is_empty(), "{name}");
        let said = |what: &Value| what.as_str().is_some_and(|text| !text.is_empty());
        assert!(missing.iter().all(|one| said(&one["what"]) && said(&one["remedy"])), "{name}");
        check_required(name, there);
        gluster |= there && ["namespace", "container"].contains(&name);
        names.push(name);
    }
    assert_eq!(names, ["sim", "files", "namespace", "container", "host", "qemu"]);
    check_required("gluster", gluster);
}

#[track_caller]
fn check_required(name: &str, there: bool) {
    let answer = quorate(&["doctor", "--require", name]);
    assert_eq!(answer.code, if there { exit::HELD } else { exit::USAGE }, "{name}");
    let refused = format!("this machine does not have what is required: {name}\n");
    assert_eq!(answer.err.contains(&refused), !there, "{}", answer.err);
    assert!(
        answer.out.contains("\nfiles      ready     files of this machine\n"),
        "{}",
        answer.out
    );
}

#[test]
fn an_environment_that_nobody_knows_is_refused() {
    let answer = quorate(&["doctor", "--require", "ceph"]);
    assert_eq!((answer.code, &*answer.out), (exit::USAGE, ""));
    assert!(
        answer.err.contains("sim, files, gluster, namespace, container, host, qemu"),
        "{}",
        answer.err
    );
}
