//! One idea a file (at most 400 lines bare), one screen a function (at most 60 lines).
//!
//! "Bare" is without the trailing inline test module.

use super::{Debt, Finding};
use std::path::Path;

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;

/// Checks one file.
pub fn check(path: &Path, text: &str, debt: &Debt) -> Vec<Finding> {
    let place = path.display().to_string();
    if is_test(&place) {
        return Vec::new();
    }
    let bare: Vec<&str> = text
        .lines()
        .take_while(|line| *line != "#[cfg(test)]")
        .collect();
    let mut findings = Vec::new();
    let allowed = debt.allowed("file", &place, FILE_LINES_MAX);
    if bare.len() > allowed {
        findings.push(Finding {
            place: place.clone(),
            what: format!(
                "{} lines bare, {allowed} allowed: cut it by idea",
                bare.len()
            ),
        });
    }
    for (name, line, length) in functions(&bare) {
        let allowed = debt.allowed("function", &format!("{place}::{name}"), FUNCTION_LINES_MAX);
        if length > allowed {
            findings.push(Finding {
                place: format!("{place}:{line}"),
                what: format!(
                    "fn {name} has {length} lines, {allowed} allowed: move computation to leaves"
                ),
            });
        }
    }
    findings
}

fn is_test(place: &str) -> bool {
    place.contains("/tests/")
        || place.contains("/benches/")
        || place.contains("/examples/")
        || place.ends_with("tests.rs")
}

/// Name, first line and length of each function, by rustfmt's indentation.
fn functions<'a>(lines: &[&'a str]) -> Vec<(&'a str, usize, usize)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let Some(name) = function_name(line.trim_start()) else {
            continue;
        };
        let end = lines[at..].iter().position(|later| {
            later.len() - later.trim_start().len() == indent && later.trim_start().starts_with('}')
        });
        // A trait's declaration has no body.
        let head_end = lines[at..]
            .iter()
            .find(|later| later.ends_with([';', '{', '}']));
        let has_body = head_end.is_some_and(|line| line.ends_with('{'));
        if let Some(end) = end
            && has_body
        {
            found.push((name, at + 1, end + 1));
        }
    }
    found
}

fn function_name(line: &str) -> Option<&str> {
    let mut rest = line;
    for prefix in [
        "pub(crate) ",
        "pub(super) ",
        "pub ",
        "const ",
        "async ",
        "unsafe ",
        "extern \"C\" ",
    ] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    let name = rest.strip_prefix("fn ")?;
    Some(&name[..name.find(['(', '<'])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_function_and_a_long_file_are_found_and_debt_excuses_them() {
        let body = "    x();\n".repeat(70);
        let text = format!(
            "fn long() {{\n{body}}}\n\nfn short() {{}}\n{}",
            "\n".repeat(400)
        );
        let what: Vec<_> = check(Path::new("crates/a/src/b.rs"), &text, &Debt::default())
            .into_iter()
            .map(|f| f.place)
            .collect();
        assert_eq!(what, ["crates/a/src/b.rs", "crates/a/src/b.rs:1"]);
        assert!(check(Path::new("crates/a/tests/b.rs"), &text, &Debt::default()).is_empty());
    }

    #[test]
    fn the_inline_tests_are_not_counted() {
        let text = format!(
            "//! Doc.\n#[cfg(test)]\nmod tests {{\n{}}}\n",
            "\n".repeat(500)
        );
        assert!(check(Path::new("crates/a/src/b.rs"), &text, &Debt::default()).is_empty());
    }
}
