//! What a bench found: rows of named figures, as a table for a person or one object for a program.

use std::fmt;

/// One bench's rows.
#[derive(Debug)]
pub struct Report {
    bench: &'static str,
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// What was measured, and its figures by name; a figure's unit ends its name (`p50_ms`).
#[derive(Debug)]
pub struct Row {
    what: String,
    figures: Vec<(&'static str, f64)>,
}

impl Row {
    /// A row without figures.
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            figures: Vec::new(),
        }
    }

    /// The same with one figure more.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        self.figures.push((name, value));
        self
    }
}

impl Report {
    /// A report of no rows.
    pub fn new(bench: &'static str) -> Self {
        Self {
            bench,
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds a line that a reader of the figures should know.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// `{"bench": …, "rows": {WHAT: {FIGURE: …}}, "notes": […]}`.
    pub fn json(&self) -> serde_json::Value {
        let rows: serde_json::Map<_, _> = self
            .rows
            .iter()
            .map(|row| {
                let figures = row
                    .figures
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), rounded(*value).into()));
                let figures: serde_json::Map<_, _> = figures.collect();
                (row.what.clone(), figures.into())
            })
            .collect();
        serde_json::json!({"bench": self.bench, "rows": rows, "notes": self.notes})
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.what.chars().count()).max();
        let width = width.unwrap_or(0) + 2;
        let mut names: &[(&str, f64)] = &[];
        for row in &self.rows {
            let same = names.len() == row.figures.len()
                && names.iter().zip(&row.figures).all(|(a, b)| a.0 == b.0);
            if !same {
                names = &row.figures;
                write!(f, "{:width$}", "")?;
                for (name, _) in names {
                    write!(f, "{name:>16}")?;
                }
                writeln!(f)?;
            }
            write!(f, "{:width$}", row.what)?;
            for (_, value) in &row.figures {
                write!(f, "{:>16}", rounded(*value))?;
            }
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        Ok(())
    }
}

/// Three decimals below ten, two below a hundred, one below a thousand, else none.
fn rounded(value: f64) -> f64 {
    let factor = match value.abs() {
        size if size < 10.0 => 1000.0,
        size if size < 100.0 => 100.0,
        size if size < 1000.0 => 10.0,
        _ => 1.0,
    };
    (value * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_table_and_an_object() {
        let mut report = Report::new("launch");
        report.push(Row::new("host").with("p50_ms", 7.12345).with("n", 1234.5));
        report.push(Row::new("bridge").with("p50_ms", 11.0).with("n", 2.0));
        report.note("beside nothing");
        let text = report.to_string();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(
            text.lines()
                .nth(1)
                .unwrap()
                .ends_with("7.123            1235")
        );
        let json = report.json();
        assert_eq!(json["rows"]["host"]["p50_ms"], 7.123);
        assert_eq!(json["notes"][0], "beside nothing");
    }
}
