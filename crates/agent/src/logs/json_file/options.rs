//! The driver's options, as `logConfiguration.options` has them, with what Docker says of wrong ones.
//!
//! Rule: Docker's daemon looks at names and `mode` when a container is created, and reads the values when it is
//! started; what it says of a value is in part what its language's library says. Sizes of files are powers of 1,000,
//! those of buffers of 1,024.

use std::collections::BTreeMap;
use std::num::IntErrorKind;

const KNOWN: &[&str] = &[
    "max-size",
    "max-file",
    "compress",
    "labels",
    "labels-regex",
    "env",
    "env-regex",
    "tag",
    "mode",
    "max-buffer-size",
];
/// What a file's size counts in.
const OF_FILES: f64 = 1000.0;
/// What a buffer's size counts in.
const OF_BUFFERS: f64 = 1024.0;
/// Units of sizes, each the one before it once more.
const UNITS: &str = "kmgtp";

/// The values that are acted on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// `max-size`.
    pub size_bytes_max: Option<u64>,
    /// `max-file`.
    pub files_max: Option<u32>,
}

/// Refuses what Docker refuses when it creates the container.
///
/// # Errors
/// Docker's text.
pub fn check(options: &BTreeMap<String, String>) -> Result<(), String> {
    let mode = options.get("mode").map_or("", String::as_str);
    if !matches!(mode, "" | "blocking" | "non-blocking") {
        return Err(format!("logger: logging mode not supported: {mode}"));
    }
    if let Some(given) = options.get("max-buffer-size") {
        if mode != "non-blocking" {
            return Err(
                "logger: max-buffer-size option is only supported with 'mode=non-blocking'".into(),
            );
        }
        size(given, OF_BUFFERS)
            .map_err(|why| format!("error parsing option max-buffer-size: {why}"))?;
    }
    match options.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        Some(unknown) => Err(format!(
            "unknown log opt '{unknown}' for json-file log driver"
        )),
        None => Ok(()),
    }
}

/// Reads the values, as Docker does when it starts the container.
///
/// # Errors
/// Docker's text.
pub fn read(options: &BTreeMap<String, String>) -> Result<Options, String> {
    let size_bytes_max = match options.get("max-size") {
        None => None,
        Some(given) => match u64::try_from(size(given, OF_FILES)?) {
            Ok(bytes) if bytes > 0 => Some(bytes),
            _ => return Err("max-size must be a positive number".into()),
        },
    };
    let files_max = match options.get("max-file") {
        None => None,
        Some(given) => match whole(given)? {
            ..1 => return Err("max-file cannot be less than 1".into()),
            count => Some(u32::try_from(count).unwrap_or(u32::MAX)),
        },
    };
    let is_compressed = options
        .get("compress")
        .map_or(Ok(false), |given| flag(given))?;
    if is_compressed && (files_max.unwrap_or(1) < 2 || size_bytes_max.is_none()) {
        return Err(
            "compress cannot be true when max-file is less than 2 or max-size is not set".into(),
        );
    }
    Ok(Options {
        size_bytes_max,
        files_max,
    })
}

/// Bytes, where a unit is this many of the one before it: `10m`, `1.5 GB`, `512KiB`, `4096`.
fn size(text: &str, step: f64) -> Result<i64, String> {
    let invalid = || format!("invalid size: '{text}'");
    let is_of_number = |c: char| c.is_ascii_digit() || c == '.' || c == ' ';
    let last = text.rfind(is_of_number).ok_or_else(invalid)?;
    let (head, suffix) = text.split_at(last + 1);
    let number = head.strip_suffix(' ').unwrap_or(head);
    let number: f64 = number
        .parse()
        .map_err(|_| unparsed("ParseFloat", number, "invalid syntax"))?;
    if number < 0.0 {
        return Err(invalid());
    }
    let power = power(suffix).ok_or_else(|| match suffix.len() {
        0..=3 => format!("invalid suffix: '{}'", suffix.to_lowercase()),
        _ => format!("invalid suffix: '{suffix}'"),
    })?;
    // What is too large becomes the largest number there is.
    #[allow(clippy::cast_possible_truncation)]
    Ok((number * step.powi(power)) as i64)
}

/// Which power of its step a unit is.
fn power(suffix: &str) -> Option<i32> {
    let suffix = suffix.to_ascii_lowercase();
    match suffix.as_bytes() {
        [] | [b'b'] => Some(0),
        [unit] | [unit, b'b'] | [unit, b'i', b'b'] => {
            let at = UNITS.bytes().position(|one| one == *unit)?;
            i32::try_from(at + 1).ok()
        }
        _ => None,
    }
}

fn whole(text: &str) -> Result<i64, String> {
    text.parse().map_err(|error: std::num::ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        unparsed("Atoi", text, why)
    })
}

fn flag(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(unparsed("ParseBool", text, "invalid syntax")),
    }
}

/// What the library of Docker's language says.
fn unparsed(function: &str, text: &str, why: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(given: &[(&str, &str)]) -> BTreeMap<String, String> {
        let given = given.iter();
        given
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn names_and_modes_are_looked_at_first_in_dockers_words() {
        for (given, expected) in [
            (&[][..], None),
            (
                &[("max-size", "much"), ("max-file", "x"), ("compress", "x")],
                None,
            ),
            (
                &[
                    ("labels", "a"),
                    ("labels-regex", "a"),
                    ("env", "a"),
                    ("env-regex", "a"),
                    ("tag", "a"),
                ],
                None,
            ),
            (&[("mode", "non-blocking"), ("max-buffer-size", "1m")], None),
            (&[("mode", "")], None),
            (
                &[("max-sise", "1m")],
                Some("unknown log opt 'max-sise' for json-file log driver"),
            ),
            (
                &[("mode", "fast")],
                Some("logger: logging mode not supported: fast"),
            ),
            (
                &[("max-buffer-size", "1m")],
                Some("logger: max-buffer-size option is only supported with 'mode=non-blocking'"),
            ),
            (
                &[("mode", "non-blocking"), ("max-buffer-size", "lots")],
                Some("error parsing option max-buffer-size: invalid size: 'lots'"),
            ),
        ] {
            let got = check(&options(given)).err();
            assert_eq!(got.as_deref(), expected, "{given:?}");
        }
    }

    #[test]
    fn values_are_told_in_dockers_words() {
        for (given, expected) in [
            (&[("max-size", "much")][..], "invalid size: 'much'"),
            (&[("max-size", "")], "invalid size: ''"),
            (&[("max-size", "-1m")], "invalid size: '-1m'"),
            (&[("max-size", "10X")], "invalid suffix: 'x'"),
            (&[("max-size", "10kbb")], "invalid suffix: 'kbb'"),
            (&[("max-size", "10MEGA")], "invalid suffix: 'MEGA'"),
            (
                &[("max-size", "1.2.3m")],
                r#"strconv.ParseFloat: parsing "1.2.3": invalid syntax"#,
            ),
            (&[("max-size", "0")], "max-size must be a positive number"),
            (
                &[("max-size", "0.2b")],
                "max-size must be a positive number",
            ),
            (&[("max-file", "0")], "max-file cannot be less than 1"),
            (&[("max-file", "-3")], "max-file cannot be less than 1"),
            (
                &[("max-file", "two")],
                r#"strconv.Atoi: parsing "two": invalid syntax"#,
            ),
            (
                &[("max-file", "99999999999999999999")],
                r#"strconv.Atoi: parsing "99999999999999999999": value out of range"#,
            ),
            (
                &[("compress", "yes")],
                r#"strconv.ParseBool: parsing "yes": invalid syntax"#,
            ),
            (
                &[("compress", "true"), ("max-size", "1m")],
                "compress cannot be true when max-file is less than 2 or max-size is not set",
            ),
        ] {
            assert_eq!(read(&options(given)), Err(expected.to_owned()), "{given:?}");
        }
    }

    #[test]
    fn sizes_are_dockers() {
        for (given, expected) in [
            ("10m", 10_000_000),
            ("1kb", 1000),
            ("1KiB", 1000),
            ("1.5 g", 1_500_000_000),
            ("7", 7),
            ("7b", 7),
            ("1t", 1_000_000_000_000),
        ] {
            let read = read(&options(&[("max-size", given)]));
            let read = read.map(|read| read.size_bytes_max);
            assert_eq!(read, Ok(Some(expected)), "{given}");
        }
        let both = [("max-size", "1m"), ("max-file", "3"), ("compress", "true")];
        let expected = Options {
            size_bytes_max: Some(1_000_000),
            files_max: Some(3),
        };
        assert_eq!(read(&options(&both)), Ok(expected));
    }
}
