//! A text with `*` for any run of characters; `\*` and `\\` stand for themselves.

/// The texts between the stars, in order; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wildcard(Vec<String>);

impl Wildcard {
    /// Reads a wildcard.
    ///
    /// # Errors
    /// Two stars follow each other, or a backslash escapes something else.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = vec![String::new()];
        let mut after_star = false;
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let is_star = letter == '*';
            if is_star && after_star {
                return Err("Consecutive wildcard characters are not allowed".into());
            }
            after_star = is_star;
            let taken = match letter {
                '*' => {
                    parts.push(String::new());
                    continue;
                }
                '\\' => letters
                    .next()
                    .filter(|escaped| matches!(escaped, '*' | '\\'))
                    .ok_or("Invalid escape character")?,
                other => other,
            };
            if let Some(part) = parts.last_mut() {
                part.push(taken);
            }
        }
        Ok(Self(parts))
    }

    /// Whether the whole text matches. Takes the first place for each part, which is enough.
    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.0.as_slice() else {
            return self.0.first().is_some_and(|only| only == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else {
            return false;
        };
        for part in middle {
            let Some(at) = rest.find(part.as_str()) else {
                return false;
            };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By trying every length for every star.
    fn slow(pattern: &[char], text: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['*', rest @ ..] => (0..=text.len()).any(|taken| slow(rest, &text[taken..])),
            [letter, rest @ ..] => text.first() == Some(letter) && slow(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn matches_as_trying_everything_does(pattern in "[ab]{0,2}(\\*[ab]{1,2}){0,3}\\*?", text in "[ab]{0,8}") {
            let letters: Vec<char> = pattern.chars().collect();
            let text_letters: Vec<char> = text.chars().collect();
            let wildcard = Wildcard::parse(&pattern).unwrap();
            prop_assert_eq!(wildcard.matches(&text), slow(&letters, &text_letters));
        }
    }

    #[test]
    fn stars_can_be_escaped_and_may_not_follow_each_other() {
        assert!(Wildcard::parse(r"a\*b").unwrap().matches("a*b"));
        assert!(!Wildcard::parse(r"a\*b").unwrap().matches("axb"));
        assert!(Wildcard::parse(r"a\\*").unwrap().matches(r"a\xyz"));
        assert!(Wildcard::parse("a**").is_err());
        assert!(Wildcard::parse(r"a\b").is_err());
    }
}
