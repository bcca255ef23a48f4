//! Tokens of version 2: made on request, good for as long as was asked.

use std::collections::HashMap;
use std::time::Duration;

/// Rule: EC2 user guide: six hours at most.
const SECONDS_MAX: u32 = 21_600;
/// Whoever asks for more makes the one that ends first end now.
const TOKENS_MAX: usize = 4096;

/// Tokens that are good still, each with its end. Times count from any fixed moment.
#[derive(Debug, Default)]
pub struct Tokens(HashMap<String, Duration>);

/// A fresh token.
#[derive(Debug, PartialEq, Eq)]
pub struct Granted {
    /// Unguessable.
    pub token: String,
    /// How long it is good.
    pub seconds: u32,
}

impl Tokens {
    /// Makes this fresh text a token for as long as the header asks; `None` where it asks for nothing, or
    /// for too long.
    pub fn grant(&mut self, token: String, asked: Option<&str>, now: Duration) -> Option<Granted> {
        let seconds: u32 = asked?.trim().parse().ok()?;
        if !(1..=SECONDS_MAX).contains(&seconds) {
            return None;
        }
        if self.0.len() >= TOKENS_MAX {
            self.0.retain(|_, end| *end > now);
        }
        if self.0.len() >= TOKENS_MAX {
            let first = self.0.iter().min_by_key(|(_, end)| **end);
            let first = first.map(|(token, _)| token.clone());
            first.map(|token| self.0.remove(&token));
        }
        let end = now + Duration::from_secs(seconds.into());
        self.0.insert(token.clone(), end);
        Some(Granted { token, seconds })
    }

    /// Whether it is good still.
    pub fn knows(&self, token: &str, now: Duration) -> bool {
        self.0.get(token).is_some_and(|end| *end > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_as_long_as_was_asked_and_six_hours_at_most() {
        let mut tokens = Tokens::default();
        for (asked, seconds) in [
            (Some("1"), Some(1)),
            (Some("21600"), Some(21_600)),
            (Some("21601"), None),
            (Some("0"), None),
            (Some("-1"), None),
            (Some("ten"), None),
            (None, None),
        ] {
            let granted = tokens.grant("t".into(), asked, Duration::ZERO);
            assert_eq!(granted.map(|one| one.seconds), seconds, "{asked:?}");
        }
        tokens.grant("short".into(), Some("10"), Duration::from_secs(5));
        assert!(tokens.knows("short", Duration::from_secs(14)));
        assert!(!tokens.knows("short", Duration::from_secs(15)));
        assert!(!tokens.knows("other", Duration::from_secs(5)));
    }

    #[test]
    fn however_many_are_asked_for_so_many_are_kept() {
        let mut tokens = Tokens::default();
        for number in 0..TOKENS_MAX + 10 {
            let asked = (100 + number % 1000).to_string();
            tokens.grant(number.to_string(), Some(&asked), Duration::ZERO);
        }
        assert_eq!(tokens.0.len(), TOKENS_MAX);
        assert!(tokens.knows(&(TOKENS_MAX + 9).to_string(), Duration::ZERO));
    }
}
