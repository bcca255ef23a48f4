//! The ratchet: known offenders with their present measure.

use super::Finding;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// `RULE PLACE MEASURE` lines.
#[derive(Debug, Default)]
pub struct Debt(BTreeMap<(String, String), usize>);

impl Debt {
    /// Reads the list; lines that start with `#` are comments.
    pub fn read(path: &Path) -> std::io::Result<Self> {
        let text = std::fs::read_to_string(path)?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let rows = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| {
                let mut parts = line.split_whitespace();
                let (rule, place, measure) = (parts.next()?, parts.next()?, parts.next()?);
                Some(((rule.to_owned(), place.to_owned()), measure.parse().ok()?))
            });
        Self(rows.collect())
    }

    /// What the rule allows at this place: its limit, or the offender's recorded measure.
    pub fn allowed(&self, rule: &str, place: &str, limit: usize) -> usize {
        self.0
            .get(&(rule.to_owned(), place.to_owned()))
            .copied()
            .unwrap_or(limit)
    }

    /// Entries for files that are gone.
    pub fn stale(&self, sources: &[PathBuf]) -> Vec<Finding> {
        self.0
            .keys()
            .filter(|(_, place)| {
                let file = place.split("::").next().unwrap_or(place);
                !sources.iter().any(|source| source == Path::new(file))
            })
            .map(|(rule, place)| Finding {
                place: "xtask/tidy-debt.txt".into(),
                what: format!("{rule} {place}: the file is gone, take the line out"),
            })
            .collect()
    }
}
