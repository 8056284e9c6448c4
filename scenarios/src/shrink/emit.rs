//! A failure as a test in Rust, to be pasted where the tests are.

use super::Property;
use crate::{load, metamorphic, model::Scenario};
use quorate_reports::Verdict;

/// A test that holds once what fails in the scenario does not fail any more.
#[must_use]
pub fn test(scenario: &Scenario, property: &Property) -> String {
    let name: String = scenario.name.chars().map(letter).collect();
    let text = load::write(scenario);
    let mut fence = String::from("#");
    while text.contains(&format!("\"{fence}")) {
        fence.push('#');
    }
    let check = &property.check;
    let mut lines = vec![
        format!("/// What `quorate shrink` has left of a run that failed `{check}`."),
        "#[test]".into(),
        format!("fn {name}_holds() {{"),
        format!("    let text = r{fence}\"\n{text}\"{fence};"),
        format!("    let scenario = quorate_scenarios::load::parse(text, \"{name}\");"),
        "    let scenario = scenario.unwrap_or_else(|error| panic!(\"{error}\"));".into(),
    ];
    lines.extend(asserted(property).iter().map(|line| format!("    {line}")));
    lines.push("}\n".into());
    lines.join("\n")
}

/// What is asked of the scenario.
fn asserted(property: &Property) -> Vec<String> {
    let law = metamorphic::place(&property.check);
    let run = [
        "let scratch = &mut quorate_scenarios::runner::Scratch::default();",
        "let run = quorate_scenarios::fuzz::attempt::run(&scenario, \"shrunk\", None, scratch, None);",
    ];
    let mut lines: Vec<String> = run.map(String::from).into();
    match (property.verdict, law) {
        (Verdict::Nondeterministic, _) => {
            lines.push(run[1].replace("let run", "let again"));
            lines.push("assert_eq!(run.trace.digest, again.trace.digest);".into());
        }
        (_, Some(_)) => {
            lines = vec![
                format!("let law = quorate_scenarios::metamorphic::place(\"{}\");", property.check),
                "let law = law.expect(\"the law has this name\");".into(),
                "let broken = quorate_scenarios::metamorphic::broken(&scenario, None, law);".into(),
                "assert_eq!(broken, None);".into(),
            ];
        }
        (_, None) => lines.push(
            "assert_eq!(run.verdict, quorate_reports::Verdict::Held, \"{:?}\", run.violations);"
                .into(),
        ),
    }
    lines
}

fn letter(c: char) -> char {
    if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }
}
