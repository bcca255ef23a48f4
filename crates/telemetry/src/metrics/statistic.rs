//! Which statistics there are.
//!
//! Rule: CloudWatch user guide, "CloudWatch statistics definitions".

/// One number of the samples of a period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// `SampleCount`.
    SampleCount,
    /// `Sum`.
    Sum,
    /// `Average`.
    Average,
    /// `Minimum`.
    Minimum,
    /// `Maximum`.
    Maximum,
    /// `pNN.N`: the value at or below which this per cent of the samples lie.
    Percentile(f64),
}

impl Statistic {
    /// The statistic of this name; `None` for one that AWS does not have, or that is not served.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "SampleCount" => Some(Self::SampleCount),
            "Sum" => Some(Self::Sum),
            "Average" => Some(Self::Average),
            "Minimum" => Some(Self::Minimum),
            "Maximum" => Some(Self::Maximum),
            _ => percentile(name).map(Self::Percentile),
        }
    }

    /// AWS's word.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::SampleCount => "SampleCount".into(),
            Self::Sum => "Sum".into(),
            Self::Average => "Average".into(),
            Self::Minimum => "Minimum".into(),
            Self::Maximum => "Maximum".into(),
            Self::Percentile(rank) => format!("p{rank}"),
        }
    }
}

/// `p0` to `p100`, with up to ten digits after the point.
fn percentile(name: &str) -> Option<f64> {
    let digits = name.strip_prefix('p')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) || whole.len() > 3 || fraction.len() > 10 {
        return None;
    }
    digits.parse().ok().filter(|rank| *rank <= 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read() {
        for (name, expected) in [
            ("Average", Some(Statistic::Average)),
            ("p50", Some(Statistic::Percentile(50.0))),
            ("p99.9", Some(Statistic::Percentile(99.9))),
            ("p100", Some(Statistic::Percentile(100.0))),
            ("p101", None),
            ("p", None),
            ("p.5", None),
            ("p5.", None),
            ("pinf", None),
            ("average", None),
            ("", None),
        ] {
            assert_eq!(Statistic::parse(name), expected, "{name}");
        }
        assert_eq!(Statistic::Percentile(99.9).name(), "p99.9");
    }
}
