//! Which state an alarm is to be in, from datapoints, purely.
//!
//! An alarm looks at the newest `EvaluationPeriods` datapoints. More periods are looked up than that, the
//! *evaluation range*, so that one late datapoint does not leave it blind: real datapoints are always
//! used before missing ones are filled in.
//! Rule: user guide, "Configuring how CloudWatch alarms treat missing data", and its two tables, which
//! are tests below; how far the range reaches beyond the periods is not stated there: in the tables, by 2.

use super::change::{Verdict, moment};
use super::records::State;
use aws_types::Timestamp;
use serde_json::{Map, Value, json};

/// Periods looked up beyond those that are evaluated.
pub const RANGE_EXTRA: i32 = 2;
/// Datapoints that a reason names.
const NAMED_MAX: usize = 5;

/// `ComparisonOperator`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `GreaterThanThreshold`.
    Greater,
    /// `GreaterThanOrEqualToThreshold`.
    AtLeast,
    /// `LessThanThreshold`.
    Less,
    /// `LessThanOrEqualToThreshold`.
    AtMost,
}

impl Comparison {
    /// The operator of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Some(match name {
            "GreaterThanThreshold" => Self::Greater,
            "GreaterThanOrEqualToThreshold" => Self::AtLeast,
            "LessThanThreshold" => Self::Less,
            "LessThanOrEqualToThreshold" => Self::AtMost,
            _ => return None,
        })
    }

    fn holds(self, value: f64, threshold: f64) -> bool {
        match self {
            Self::Greater => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Less => value < threshold,
            Self::AtMost => value <= threshold,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Greater => "greater than",
            Self::AtLeast => "greater than or equal to",
            Self::Less => "less than",
            Self::AtMost => "less than or equal to",
        }
    }
}

/// `TreatMissingData`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// `missing`.
    Missing,
    /// `ignore`.
    Ignore,
    /// `breaching`.
    Breaching,
    /// `notBreaching`.
    NotBreaching,
}

impl Missing {
    /// The treatment of this name; `missing` where none is given.
    #[must_use]
    pub fn of(name: Option<&str>) -> Self {
        match name {
            Some("ignore") => Self::Ignore,
            Some("breaching") => Self::Breaching,
            Some("notBreaching") => Self::NotBreaching,
            _ => Self::Missing,
        }
    }
}

/// When an alarm is in `ALARM`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// Which values breach.
    pub comparison: Comparison,
    /// What they are compared with.
    pub threshold: f64,
    /// `EvaluationPeriods`: how many datapoints are looked at.
    pub periods: usize,
    /// `DatapointsToAlarm`: how many of them must breach.
    pub needed: usize,
    /// What a period without data counts as.
    pub missing: Missing,
    /// Seconds.
    pub period: i32,
    /// `Statistic` or `ExtendedStatistic`, of an alarm on one metric.
    pub statistic: Option<String>,
    /// `Unit`.
    pub unit: Option<String>,
}

/// A datapoint of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Datapoint {
    /// The start of the period.
    pub at: Timestamp,
    /// The value; `None` where nothing was measured.
    pub value: Option<f64>,
    /// Samples it is of, where that is known.
    pub samples: Option<f64>,
}

/// The state that an alarm is to be in; `None` where it is to stay as it is. `range` are the datapoints of
/// the evaluation range, the oldest first; `now` the moment of the query.
#[must_use]
pub fn evaluate(rule: &Rule, range: &[Datapoint], was: State, now: Timestamp) -> Option<Verdict> {
    let real: Vec<&Datapoint> = range.iter().filter(|one| one.value.is_some()).collect();
    let breaches = |one: &Datapoint| {
        let value = one.value.unwrap_or_default();
        rule.comparison.holds(value, rule.threshold)
    };
    let value = state(rule, range, &real, breaches)?;
    if value == was {
        return None;
    }
    let looked_at = real.len().min(rule.periods);
    let newest = &real[real.len() - looked_at..];
    Some(Verdict {
        value,
        reason: reason(rule, newest, value, was, breaches),
        reason_data: Some(reason_data(rule, newest, now).to_string()),
    })
}

fn state(
    rule: &Rule,
    range: &[Datapoint],
    real: &[&Datapoint],
    breaches: impl Fn(&Datapoint) -> bool,
) -> Option<State> {
    if real.is_empty() {
        return match rule.missing {
            Missing::Missing => Some(State::InsufficientData),
            Missing::Ignore => None,
            Missing::Breaching => Some(State::Alarm),
            Missing::NotBreaching => Some(State::Ok),
        };
    }
    let newest = &real[real.len().saturating_sub(rule.periods)..];
    let breaching = newest.iter().filter(|one| breaches(one)).count();
    // As few are filled in as possible: what is real stays.
    let filled = rule.periods - newest.len();
    let of = |breaching: usize| match breaching >= rule.needed {
        true => State::Alarm,
        false => State::Ok,
    };
    if filled == 0 {
        return Some(of(breaching));
    }
    match rule.missing {
        Missing::Breaching => Some(of(breaching + filled)),
        Missing::NotBreaching => Some(of(breaching)),
        Missing::Missing | Missing::Ignore => {
            if breaching >= rule.needed {
                return Some(State::Alarm);
            }
            if breaching < newest.len() {
                // Something real is within the threshold, and what is missing says nothing.
                return Some(State::Ok);
            }
            match rule.missing {
                Missing::Ignore => None,
                _ => is_premature(rule, range).then_some(State::Alarm),
            }
        }
    }
}

/// All that is real breaches, but it is too little. Rule: user guide, "premature alarm state": `ALARM`
/// where the oldest breaching datapoint is at least as old as the number of datapoints needed; until then
/// the alarm stays as it is.
fn is_premature(rule: &Rule, range: &[Datapoint]) -> bool {
    let oldest = range.iter().position(|one| one.value.is_some());
    oldest.is_some_and(|oldest| range.len() - oldest >= rule.needed)
}

/// `Threshold Crossed: 1 out of the last 1 datapoints [9.0 (02/10/19 17:04:00)] was greater than the
/// threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition).`
fn reason(
    rule: &Rule,
    newest: &[&Datapoint],
    value: State,
    was: State,
    breaches: impl Fn(&Datapoint) -> bool,
) -> String {
    if newest.is_empty() {
        return without_data(rule, value);
    }
    let is_alarm = value == State::Alarm;
    let all = newest.iter().copied();
    let counting: Vec<_> = all.filter(|one| breaches(one) == is_alarm).collect();
    let verb = match counting.len() {
        1 => "was",
        _ => "were",
    };
    let not = if is_alarm { "" } else { "not " };
    let needed = match is_alarm {
        true => rule.needed,
        // So many within the threshold that the rest cannot reach what is needed.
        false => rule.periods - rule.needed + 1,
    };
    let mut text = format!(
        "Threshold Crossed: {} out of the last {} datapoints [{}] {verb} {not}{} the threshold ({}) (minimum {} for {} -> {} transition).",
        counting.len(),
        newest.len(),
        named(&counting),
        rule.comparison.words(),
        number(rule.threshold),
        counted(needed, "datapoint", "datapoints"),
        was.name(),
        value.name(),
    );
    let missing = rule.periods - newest.len();
    if missing > 0 {
        let treated = treated(rule);
        let were = counted(missing, "missing datapoint was", "missing datapoints were");
        text.push_str(&format!(" {were} treated as [{treated}]."));
    }
    text
}

fn without_data(rule: &Rule, value: State) -> String {
    let missing = counted(
        rule.periods,
        "missing datapoint was",
        "missing datapoints were",
    );
    match value {
        State::InsufficientData => format!(
            "Insufficient Data: {} unknown.",
            counted(rule.periods, "datapoint was", "datapoints were")
        ),
        State::Ok | State::Alarm => format!(
            "Threshold Crossed: no datapoints were received for {} and {missing} treated as [{}].",
            counted(rule.periods, "period", "periods"),
            treated(rule),
        ),
    }
}

fn treated(rule: &Rule) -> &'static str {
    match rule.missing {
        Missing::Breaching => "breaching",
        Missing::NotBreaching => "not breaching",
        Missing::Missing | Missing::Ignore => "missing",
    }
}

/// The newest first.
fn named(counting: &[&Datapoint]) -> String {
    let newest = counting.iter().rev().take(NAMED_MAX);
    let mut named: Vec<String> = newest
        .map(|one| {
            format!(
                "{} ({})",
                number(one.value.unwrap_or_default()),
                day(one.at)
            )
        })
        .collect();
    if counting.len() > NAMED_MAX {
        named.push("...".into());
    }
    named.join(", ")
}

fn counted(count: usize, one: &str, several: &str) -> String {
    match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {several}"),
    }
}

/// `5.0`, as Java writes numbers of ordinary size.
fn number(value: f64) -> String {
    format!("{value:?}")
}

/// `02/10/19 17:04:00`.
fn day(at: Timestamp) -> String {
    let text = at.iso8601();
    // 2019-10-02T17:04:00.000Z
    let (year, month, day) = (&text[2..4], &text[5..7], &text[8..10]);
    format!("{day}/{month}/{year} {}", &text[11..19])
}

fn reason_data(rule: &Rule, newest: &[&Datapoint], now: Timestamp) -> Value {
    let mut data = Map::new();
    data.insert("version".into(), json!("1.0"));
    data.insert("queryDate".into(), json!(moment(now)));
    if let Some(first) = newest.first() {
        data.insert("startDate".into(), json!(moment(first.at)));
    }
    if let Some(statistic) = &rule.statistic {
        data.insert("statistic".into(), json!(statistic));
    }
    if let Some(unit) = &rule.unit {
        data.insert("unit".into(), json!(unit));
    }
    data.insert("period".into(), json!(rule.period));
    let values: Vec<_> = newest.iter().map(|one| one.value).collect();
    data.insert("recentDatapoints".into(), json!(values));
    data.insert("threshold".into(), json!(rule.threshold));
    let evaluated = newest.iter().rev().map(|one| {
        let mut shown = json!({"timestamp": moment(one.at), "value": one.value});
        if let Some(samples) = one.samples {
            shown["sampleCount"] = json!(samples);
        }
        shown
    });
    let evaluated: Vec<_> = evaluated.collect();
    data.insert("evaluatedDatapoints".into(), json!(evaluated));
    Value::Object(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_570_035_880_985);

    fn rule(periods: usize, needed: usize, missing: Missing) -> Rule {
        Rule {
            comparison: Comparison::Greater,
            threshold: 5.0,
            periods,
            needed,
            missing,
            period: 300,
            statistic: Some("Average".into()),
            unit: None,
        }
    }

    /// `0` within the threshold, `X` beyond it, `-` missing; the oldest first.
    fn range(text: &str) -> Vec<Datapoint> {
        let signs = text.chars().filter(|sign| *sign != ' ').enumerate();
        let each = signs.map(|(at, sign)| Datapoint {
            at: Timestamp::from_millis(1_570_035_600_000 + 300_000 * at as i64),
            value: match sign {
                '0' => Some(1.0),
                'X' => Some(9.0),
                _ => None,
            },
            samples: Some(1.0),
        });
        each.collect()
    }

    /// The state after an evaluation, begun in `was`.
    fn after(rule: &Rule, text: &str, was: State) -> State {
        evaluate(rule, &range(text), was, NOW).map_or(was, |verdict| verdict.value)
    }

    /// The four treatments in the tables' order: missing, ignore, breaching, not breaching.
    const TREATMENTS: [Missing; 4] = [
        Missing::Missing,
        Missing::Ignore,
        Missing::Breaching,
        Missing::NotBreaching,
    ];

    #[test]
    fn three_of_three_is_as_the_guide_has_it() {
        use State::{Alarm, InsufficientData, Ok};
        // `None`: the alarm stays as it was.
        for (text, expected) in [
            ("0 - X - X", [Some(Ok); 4]),
            ("- - - - 0", [Some(Ok); 4]),
            (
                "- - - - -",
                [Some(InsufficientData), None, Some(Alarm), Some(Ok)],
            ),
            ("0 X X - X", [Some(Alarm); 4]),
            ("- - X - -", [Some(Alarm), None, Some(Alarm), Some(Ok)]),
        ] {
            for (missing, expected) in TREATMENTS.into_iter().zip(expected) {
                let rule = rule(3, 3, missing);
                for was in [Ok, Alarm, InsufficientData] {
                    let found = after(&rule, text, was);
                    assert_eq!(found, expected.unwrap_or(was), "{text} {missing:?} {was:?}");
                }
            }
        }
    }

    #[test]
    fn two_of_three_is_as_the_guide_has_it() {
        use State::{Alarm, InsufficientData, Ok};
        for (text, expected) in [
            ("0 - X - X", [Some(Alarm); 4]),
            ("0 0 X 0 X", [Some(Alarm); 4]),
            ("0 - X - -", [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]),
            ("- - - - 0", [Some(Ok), Some(Ok), Some(Alarm), Some(Ok)]),
            ("- - - X -", [Some(Alarm), None, Some(Alarm), Some(Ok)]),
        ] {
            for (missing, expected) in TREATMENTS.into_iter().zip(expected) {
                let rule = rule(3, 2, missing);
                for was in [Ok, Alarm, InsufficientData] {
                    let found = after(&rule, text, was);
                    assert_eq!(found, expected.unwrap_or(was), "{text} {missing:?} {was:?}");
                }
            }
        }
    }

    #[test]
    fn reasons_are_worded_as_the_service_words_them() {
        let text = |rule: &Rule, range: &[Datapoint], was| evaluate(rule, range, was, NOW).unwrap();
        let one = rule(1, 1, Missing::Missing);
        let found = text(&one, &range("- - X"), State::Ok);
        assert_eq!(
            found.reason,
            "Threshold Crossed: 1 out of the last 1 datapoints [9.0 (02/10/19 17:10:00)] was greater than the threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."
        );
        let data: Value = serde_json::from_str(&found.reason_data.unwrap()).unwrap();
        assert_eq!(data["queryDate"], "2019-10-02T17:04:40.985+0000");
        assert_eq!(data["startDate"], "2019-10-02T17:10:00.000+0000");
        assert_eq!(data["recentDatapoints"], json!([9.0]));
        assert_eq!(data["evaluatedDatapoints"][0]["sampleCount"], 1.0);

        let three = rule(3, 2, Missing::NotBreaching);
        assert_eq!(
            text(&three, &range("- - X 0 0"), State::Alarm).reason,
            "Threshold Crossed: 2 out of the last 3 datapoints [1.0 (02/10/19 17:20:00), 1.0 (02/10/19 17:15:00)] were not greater than the threshold (5.0) (minimum 2 datapoints for ALARM -> OK transition)."
        );
        assert!(
            text(&three, &range("- - - - 0"), State::Alarm)
                .reason
                .ends_with(" 2 missing datapoints were treated as [not breaching].")
        );
        assert_eq!(
            text(&one, &range("- - -"), State::Ok).reason,
            "Insufficient Data: 1 datapoint was unknown."
        );
        assert_eq!(
            text(
                &rule(2, 2, Missing::Breaching),
                &range("- - - -"),
                State::Ok
            )
            .reason,
            "Threshold Crossed: no datapoints were received for 2 periods and 2 missing datapoints were treated as [breaching]."
        );
    }

    #[test]
    fn operators_are_those_of_the_api() {
        for (name, values) in [
            ("GreaterThanThreshold", [false, false, true]),
            ("GreaterThanOrEqualToThreshold", [false, true, true]),
            ("LessThanThreshold", [true, false, false]),
            ("LessThanOrEqualToThreshold", [true, true, false]),
        ] {
            let comparison = Comparison::of(name).unwrap();
            let found = [4.0, 5.0, 6.0].map(|value| comparison.holds(value, 5.0));
            assert_eq!(found, values, "{name}");
        }
        assert_eq!(Comparison::of("GreaterThanUpperThreshold"), None);
    }

    fn any_range() -> impl Strategy<Value = String> {
        prop::collection::vec(prop::sample::select(vec!['0', 'X', '-']), 5..9)
            .prop_map(|signs| signs.into_iter().collect())
    }

    proptest! {
        #[test]
        fn without_gaps_the_state_is_what_counting_says(signs in "[0X]{7}", periods in 1usize..6, needed in 1usize..6, kind in 0usize..4) {
            let needed = needed.min(periods);
            let rule = rule(periods, needed, TREATMENTS[kind]);
            let count = signs.chars().rev().take(periods).filter(|sign| *sign == 'X').count();
            let expected = if count >= needed { State::Alarm } else { State::Ok };
            prop_assert_eq!(after(&rule, &signs, State::InsufficientData), expected);
        }

        #[test]
        fn it_never_flaps_over_unchanged_data(text in any_range(), periods in 1usize..5, needed in 1usize..5, kind in 0usize..4) {
            let rule = rule(periods, needed.min(periods), TREATMENTS[kind]);
            for was in [State::Ok, State::Alarm, State::InsufficientData] {
                let once = after(&rule, &text, was);
                prop_assert_eq!(after(&rule, &text, once), once);
            }
        }

        #[test]
        fn breaching_is_never_milder_than_not_breaching(text in any_range(), periods in 1usize..5, needed in 1usize..5) {
            let needed = needed.min(periods);
            let strict = after(&rule(periods, needed, Missing::Breaching), &text, State::Ok);
            let mild = after(&rule(periods, needed, Missing::NotBreaching), &text, State::Ok);
            prop_assert!(mild == State::Ok || strict == State::Alarm);
        }
    }
}
