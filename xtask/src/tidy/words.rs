//! Names that say nothing, work left open, and files that do not say what they are.

use super::Finding;
use std::path::Path;

const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "common", "helpers", "helper", "misc", "manager", "types",
];
const LEFT_OPEN: &[&str] = &["todo!(", "unimplemented!(", "#[ignore"];

/// Checks one file.
pub fn check(path: &Path, text: &str) -> Vec<Finding> {
    let place = path.display().to_string();
    let mut findings = Vec::new();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    if EMPTY_NAMES.contains(&stem.as_ref()) {
        findings.push(Finding {
            place: place.clone(),
            what: format!("a module is named by what it knows, not {stem:?}"),
        });
    }
    let included = place.ends_with("tests.rs") || place.ends_with("embed.rs");
    if !included && !text.trim_start().starts_with("//!") && !text.starts_with("// Generated") {
        findings.push(Finding {
            place: place.clone(),
            what: "a module opens with `//!`: what it is and what always holds".into(),
        });
    }
    if place.contains("tidy/words.rs") {
        return findings;
    }
    for (number, line) in text.lines().enumerate() {
        for word in LEFT_OPEN {
            if line.contains(word) {
                findings.push(Finding {
                    place: format!("{place}:{}", number + 1),
                    what: format!("{word} leaves work open"),
                });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_names_open_work_and_missing_docs_are_found() {
        let found = check(Path::new("crates/a/src/utils.rs"), "fn f() { todo!() }\n");
        assert_eq!(found.len(), 3);
        assert!(check(Path::new("crates/a/src/arn.rs"), "//! ARNs.\n").is_empty());
    }
}
