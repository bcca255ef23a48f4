//! `awslogs-datetime-format`: a strftime format as a regular expression for the first line of an
//! event.
//!
//! Rule: Docker's documentation of the option, "supported strftime codes".

/// The regular expression of a format. What is no code stands for itself.
pub fn pattern(format: &str) -> String {
    let mut pattern = String::new();
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            pattern.push_str(&regex::escape(&letter.to_string()));
            continue;
        }
        match letters.next() {
            Some(code) => match code_pattern(code) {
                Some(part) => pattern.push_str(part),
                None => pattern.push_str(&regex::escape(&format!("%{code}"))),
            },
            None => pattern.push('%'),
        }
    }
    pattern
}

fn code_pattern(code: char) -> Option<&'static str> {
    Some(match code {
        'A' => "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
        'a' => "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
        'B' => {
            "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
        }
        'b' => "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
        'c' => {
            "(?:Monday|Mon|Tuesday|Tue|Wednesday|Wed|Thursday|Thu|Friday|Fri|Saturday|Sat|Sunday|Sun)?.*?\\d{2}:\\d{2}:\\d{2}"
        }
        'd' => "(?:0[1-9]|[12][0-9]|3[01]| [1-9])",
        'F' => "\\d{4}-\\d{2}-\\d{2}",
        'H' => "(?:[01][0-9]|2[0-3])",
        'I' => "(?:0[1-9]|1[0-2])",
        'j' => "(?:[0-2][0-9][0-9]|3[0-6][0-9])",
        'L' => "\\.\\d{3}",
        'f' => "\\d{1,9}",
        'M' | 'S' => "[0-5][0-9]",
        'm' => "(?:0[1-9]|1[0-2])",
        'p' => "(?:AM|PM|am|pm)",
        'T' => "\\d{2}:\\d{2}:\\d{2}",
        'w' => "[0-6]",
        'Y' => "\\d{4}",
        'y' => "\\d{2}",
        'Z' => "[A-Z]{1,5}",
        'z' => "[+-]\\d{2}:?\\d{2}",
        '%' => "%",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;

    #[test]
    fn formats_match_their_dates_only() {
        for (format, line, expected) in [
            ("%Y-%m-%d %H:%M:%S", "2024-02-29 23:59:59 start", true),
            ("%Y-%m-%d %H:%M:%S", "  at Foo.java", false),
            ("[%b %d, %Y %H:%M:%S]", "[Feb 09, 2024 01:02:03] x", true),
            (
                "%Y-%m-%dT%H:%M:%S%L%z",
                "2024-02-29T23:59:59.123+0100",
                true,
            ),
            ("%A", "Wednesday", true),
            ("100%% %y", "100% 24", true),
        ] {
            assert_eq!(
                Regex::new(&pattern(format)).unwrap().is_match(line),
                expected,
                "{format} on {line}"
            );
        }
    }
}
