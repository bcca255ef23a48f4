//! The driver's options, as `logConfiguration.options` has them.

use super::datetime;
use regex::Regex;
use std::collections::BTreeMap;

/// Docker's default of `max-buffer-size` in mode `non-blocking` as ECS sets it.
const BUFFER_BYTES_DEFAULT: u64 = 10 * 1024 * 1024;
/// How much a `blocking` stream may have read and not delivered; the rest waits in the pipe.
const BLOCKING_SPOOL_BYTES: u64 = 8 * 1024 * 1024;

/// Parsed options.
#[derive(Clone, Debug)]
pub struct AwslogsOptions {
    /// `awslogs-group`.
    pub group: String,
    /// `awslogs-region`.
    pub region: String,
    /// `awslogs-stream`, made by the control plane from the prefix; without one, the runtime id.
    pub stream: Option<String>,
    /// `awslogs-create-group`.
    pub create_group: bool,
    /// A line that matches begins a new event.
    pub event_start: Option<Regex>,
    /// `mode`.
    pub mode: Mode,
}

/// What happens when the log cannot be delivered as fast as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The container waits.
    Blocking,
    /// What does not fit into so many bytes is dropped.
    NonBlocking {
        /// `max-buffer-size`.
        buffer_bytes: u64,
    },
}

impl Mode {
    /// Bytes that may be read and not yet delivered.
    #[must_use]
    pub fn spool_bytes(self) -> u64 {
        match self {
            Self::Blocking => BLOCKING_SPOOL_BYTES,
            Self::NonBlocking { buffer_bytes } => buffer_bytes,
        }
    }
}

impl AwslogsOptions {
    /// Reads the options; unknown ones are refused, as Docker refuses them.
    ///
    /// # Errors
    /// What is wrong with which option.
    pub fn parse(options: &BTreeMap<String, String>) -> Result<Self, String> {
        let (read, event_start) = Self::read(options)?;
        let event_start = event_start.map(|pattern| {
            Regex::new(&pattern).map_err(|error| {
                format!("awslogs could not parse multiline pattern key {pattern:?}: {error}")
            })
        });
        Ok(Self {
            event_start: event_start.transpose()?,
            ..read
        })
    }

    /// Refuses what Docker refuses when it creates a container: everything but a pattern that is none.
    ///
    /// # Errors
    /// What is wrong with which option.
    pub fn check(options: &BTreeMap<String, String>) -> Result<(), String> {
        Self::read(options).map(drop)
    }

    /// The options but for the pattern of a line that begins an event, which is given as it is written.
    fn read(options: &BTreeMap<String, String>) -> Result<(Self, Option<String>), String> {
        const KNOWN: &[&str] = &[
            "awslogs-group",
            "awslogs-region",
            "awslogs-stream",
            "awslogs-stream-prefix",
            "awslogs-create-group",
            "awslogs-datetime-format",
            "awslogs-multiline-pattern",
            "awslogs-endpoint",
            "awslogs-format",
            "awslogs-credentials-endpoint",
            "awslogs-force-flush-interval-seconds",
            "awslogs-max-buffered-events",
            "mode",
            "max-buffer-size",
            "tag",
        ];
        if let Some(unknown) = options.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            return Err(format!(
                "unknown log opt '{unknown}' for awslogs log driver"
            ));
        }
        let text = |name: &str| options.get(name).filter(|value| !value.is_empty()).cloned();
        let datetime = text("awslogs-datetime-format");
        let multiline = text("awslogs-multiline-pattern");
        let event_start = match (datetime, multiline) {
            (Some(_), Some(_)) => {
                return Err("you cannot configure log opt 'awslogs-datetime-format' and 'awslogs-multiline-pattern' at the same time".into());
            }
            (Some(format), None) => Some(datetime::pattern(&format)),
            (None, pattern) => pattern,
        };
        let read = Self {
            group: text("awslogs-group")
                .ok_or("must specify a value for log opt 'awslogs-group'")?,
            region: text("awslogs-region")
                .ok_or("must specify a value for log opt 'awslogs-region'")?,
            stream: text("awslogs-stream"),
            create_group: flag(options, "awslogs-create-group")?,
            event_start: None,
            mode: mode(options)?,
        };
        Ok((read, event_start))
    }
}

fn flag(options: &BTreeMap<String, String>, name: &str) -> Result<bool, String> {
    match options.get(name).map(String::as_str) {
        None | Some("" | "false" | "0" | "f" | "F" | "FALSE" | "False") => Ok(false),
        Some("true" | "1" | "t" | "T" | "TRUE" | "True") => Ok(true),
        Some(other) => Err(format!(
            "must specify valid value for log opt '{name}': {other:?}"
        )),
    }
}

fn mode(options: &BTreeMap<String, String>) -> Result<Mode, String> {
    match options.get("mode").map(String::as_str) {
        Some("non-blocking") => {
            let size = options
                .get("max-buffer-size")
                .map(|text| bytes(text))
                .transpose()?;
            Ok(Mode::NonBlocking {
                buffer_bytes: size.unwrap_or(BUFFER_BYTES_DEFAULT),
            })
        }
        None | Some("" | "blocking")
            if options.contains_key("max-buffer-size")
                && options.get("mode").is_some_and(|mode| mode == "blocking") =>
        {
            Err("logger: max-buffer-size option is only supported with 'mode=non-blocking'".into())
        }
        None | Some("" | "blocking") => Ok(Mode::Blocking),
        Some(other) => Err(format!("logger: logging mode not supported: {other}")),
    }
}

/// `10m`, `512k`, `1g`, `4096`: Docker's sizes, in powers of 1024.
fn bytes(text: &str) -> Result<u64, String> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match lower[digits.len()..]
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 1,
        "k" => 1024,
        "m" => 1024 * 1024,
        "g" => 1024 * 1024 * 1024,
        _ => 0,
    };
    let number: Option<u64> = digits.trim().parse().ok();
    number
        .filter(|_| unit > 0)
        .and_then(|number| number.checked_mul(unit))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("error getting max-buffer-size: invalid size: '{text}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let base = [("awslogs-group", "/g"), ("awslogs-region", "us-east-1")];
        let all = base.iter().chain(pairs);
        all.map(|(n, v)| ((*n).into(), (*v).into())).collect()
    }

    fn parse(pairs: &[(&str, &str)]) -> Result<AwslogsOptions, String> {
        AwslogsOptions::parse(&options(pairs))
    }

    #[test]
    fn modes_and_sizes() {
        for (pairs, expected) in [
            (&[][..], Mode::Blocking),
            (&[("mode", "blocking")], Mode::Blocking),
            (
                &[("mode", "non-blocking")],
                Mode::NonBlocking {
                    buffer_bytes: 10_485_760,
                },
            ),
            (
                &[("mode", "non-blocking"), ("max-buffer-size", "25m")],
                Mode::NonBlocking {
                    buffer_bytes: 26_214_400,
                },
            ),
            (
                &[("mode", "non-blocking"), ("max-buffer-size", "4096")],
                Mode::NonBlocking { buffer_bytes: 4096 },
            ),
        ] {
            assert_eq!(parse(pairs).unwrap().mode, expected, "{pairs:?}");
        }
    }

    #[test]
    fn wrong_options_are_refused() {
        for pairs in [
            &[("mode", "sometimes")][..],
            &[("mode", "non-blocking"), ("max-buffer-size", "lots")],
            &[("awslogs-create-group", "maybe")],
            &[("awslogs-multiline-pattern", "(")],
            &[
                ("awslogs-multiline-pattern", "^x"),
                ("awslogs-datetime-format", "%Y"),
            ],
            &[("awslogs-grup", "x")],
        ] {
            assert!(parse(pairs).is_err(), "{pairs:?}");
        }
        assert!(AwslogsOptions::parse(&BTreeMap::new()).is_err());
        // Docker reads a pattern when it starts the container.
        let pattern = options(&[("awslogs-multiline-pattern", "(")]);
        assert_eq!(AwslogsOptions::check(&pattern), Ok(()));
        let unknown = AwslogsOptions::check(&options(&[("awslogs-grup", "x")]));
        let expected = "unknown log opt 'awslogs-grup' for awslogs log driver";
        assert_eq!(unknown, Err(expected.into()));
    }
}
