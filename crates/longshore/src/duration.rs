//! Durations in `longshore.toml`, written as the ECS agent's are: `30m`, `1h30m`, `500ms`.

use serde::Deserialize;

/// One such duration, longer than nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Duration(pub std::time::Duration);

impl std::str::FromStr for Duration {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Duration {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        parse(&text)
            .filter(|duration| !duration.is_zero())
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no duration such as \"30m\" or \"1h30m\""))
    }
}

/// Numbers with units, one after the other. `None`: something else.
fn parse(text: &str) -> Option<std::time::Duration> {
    let mut total = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(number.checked_mul(milliseconds)?)?;
        rest = after;
    }
    Some(std::time::Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_the_agent_writes_them() {
        for (text, milliseconds) in [
            ("30m", Some(1_800_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("2s", Some(2000)),
            ("0s", None),
            ("", None),
            ("30", None),
            ("m", None),
            ("1d", None),
            ("-1m", None),
            ("99999999999999999999h", None),
            ("9999999999999999h", None),
        ] {
            let read = Duration::try_from(text.to_owned()).ok();
            let expected = milliseconds.map(std::time::Duration::from_millis);
            assert_eq!(read.map(|read| read.0), expected, "{text:?}");
        }
    }
}
