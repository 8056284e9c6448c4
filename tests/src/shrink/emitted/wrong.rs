/// What `quorate shrink` has left of a run that failed `expectations`.
#[test]
fn wrong_holds() {
    let text = r#"
version = 1
name = "wrong"

[array]
children = 3
vote-threshold = 2
rewrite-corrupted = true

[[step]]
do = "write"
bytes = 512
fill = 0x32

[[step]]
do = "read"
bytes = 512
holds = 0x33
"#;
    let scenario = quorate_scenarios::load::parse(text, "wrong");
    let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
    let scratch = &mut quorate_scenarios::runner::Scratch::default();
    let run = quorate_scenarios::fuzz::attempt::run(&scenario, "shrunk", None, scratch, None);
    assert_eq!(run.verdict, quorate_reports::Verdict::Held, "{:?}", run.violations);
}
