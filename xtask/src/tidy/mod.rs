//! The rules of the house as a test: layers, purity, lengths, words.
//!
//! A rule that old code breaks has its offenders listed in `xtask/tidy-debt.txt`, each with its
//! present measure: the list may shrink, and a measure may fall, never the other way.

mod debt;
mod layers;
mod lengths;
mod words;

use debt::Debt;
use std::fmt;
use std::path::{Path, PathBuf};

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// File, relative to the repository; with a line where there is one.
    pub place: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Checks the repository at `root`.
///
/// # Errors
/// A file of the repository cannot be read.
pub fn check(root: &Path) -> std::io::Result<Vec<Finding>> {
    let debt = Debt::read(&root.join("xtask/tidy-debt.txt"))?;
    let sources = sources(root)?;
    let mut findings = layers::check(root)?;
    for path in &sources {
        let text = std::fs::read_to_string(root.join(path))?;
        findings.extend(lengths::check(path, &text, &debt));
        findings.extend(words::check(path, &text));
    }
    findings.extend(debt.stale(&sources));
    Ok(findings)
}

/// Handwritten Rust files, relative to `root`, in order.
fn sources(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![root.join("crates"), root.join("xtask")];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() && name != "generated" && name != "target" {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path.strip_prefix(root).unwrap_or(&path).to_path_buf());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_repository_keeps_the_rules_of_the_house() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let findings = super::check(&root).unwrap();
        let lines: Vec<_> = findings.iter().map(ToString::to_string).collect();
        assert!(
            lines.is_empty(),
            "cargo xtask tidy finds:\n{}",
            lines.join("\n")
        );
    }
}
