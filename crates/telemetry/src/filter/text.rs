//! Terms and phrases: `ERROR -timeout "disk full" ?a ?b`.

use super::InvalidPattern;

/// What a message must hold, must not hold, and may hold one of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextPattern {
    all: Vec<String>,
    none: Vec<String>,
    any: Vec<String>,
}

impl TextPattern {
    /// Whether a message matches. Alternatives count only where nothing else is asked for.
    pub fn matches(&self, message: &str) -> bool {
        let holds = |term: &String| message.contains(term.as_str());
        if self.all.is_empty() && self.none.is_empty() {
            return self.any.iter().any(holds);
        }
        self.all.iter().all(holds) && !self.none.iter().any(holds)
    }
}

/// Parses terms; the text is trimmed and not empty.
pub fn parse(text: &str) -> Result<TextPattern, InvalidPattern> {
    let mut pattern = TextPattern::default();
    let mut rest = text;
    while !rest.is_empty() {
        let (list, tail) = match rest.as_bytes()[0] {
            b'-' => (&mut pattern.none, &rest[1..]),
            b'?' => (&mut pattern.any, &rest[1..]),
            _ => (&mut pattern.all, rest),
        };
        let (term, tail) = term(tail)?;
        list.push(term);
        rest = tail.trim_start();
    }
    Ok(pattern)
}

/// One term or quoted phrase, and what follows it.
fn term(text: &str) -> Result<(String, &str), InvalidPattern> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut phrase = String::new();
        let mut letters = quoted.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => return Ok((phrase, &quoted[at + 1..])),
                '\\' => phrase.extend(letters.next().map(|(_, escaped)| escaped)),
                other => phrase.push(other),
            }
        }
        return Err(InvalidPattern("a quoted phrase has no end".into()));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    let (term, tail) = text.split_at(end);
    if term.is_empty() {
        return Err(InvalidPattern("a term is missing after - or ?".into()));
    }
    if term.starts_with('%') {
        return Err(InvalidPattern(
            "regular expressions are not supported".into(),
        ));
    }
    // Only words stand without quotes; anything else is a mistake that AWS refuses as well.
    if let Some(odd) = term
        .chars()
        .find(|c| !(c.is_alphanumeric() || "_-.:/=@#+*&,;'~^!|<>$()".contains(*c)))
    {
        return Err(InvalidPattern(format!(
            "the term {term:?} holds {odd:?}: put it in double quotes"
        )));
    }
    Ok((term.to_owned(), tail))
}

#[cfg(test)]
mod tests {
    use crate::filter::Pattern;

    #[test]
    fn terms_phrases_exclusions_and_alternatives() {
        for (pattern, message, expected) in [
            ("ERROR", "[ERROR] disk", true),
            ("ERROR", "error disk", false),
            ("ERROR disk", "disk ERROR", true),
            ("ERROR net", "disk ERROR", false),
            ("\"disk full\"", "the disk full now", true),
            ("\"disk full\"", "full disk", false),
            ("ERROR -retry", "ERROR final", true),
            ("ERROR -retry", "ERROR retry 1", false),
            ("ERROR -\"will retry\"", "ERROR will retry", false),
            ("-debug", "info", true),
            ("?WARN ?ERROR", "a WARN", true),
            ("?WARN ?ERROR", "an ERROR", true),
            ("?WARN ?\"ERR OR\"", "an info", false),
            ("?WARN ERROR", "ERROR", true),
            ("?WARN ERROR", "WARN", false),
            ("\"say \\\"hi\\\"\"", "say \"hi\" now", true),
            ("", "anything", true),
        ] {
            assert_eq!(
                Pattern::parse(pattern).unwrap().matches(message),
                expected,
                "{pattern:?} on {message:?}"
            );
        }
        for bad in ["\"open", "-", "a ?", "%x.*%", "[a, b]", "a{b"] {
            assert!(Pattern::parse(bad).is_err(), "{bad:?}");
        }
    }
}
