//! What a value breaks of its model's constraints, in AWS's words.
//!
//! The walk is a [`ShapeWriter`]: the value writes itself, the tables beside its members say what
//! is asked. So no shape needs code of its own for it.
//! Rule: the service models; wording as the services answer it (semantics 1.3).

use crate::description::{Member, Rules, StructDescription};
use crate::shape::{Shape, ShapeWriter};
use aws_types::Timestamp;
use std::fmt::Write as _;

/// Longer values are cut in the refusal's text.
const SHOWN_LEN_MAX: usize = 1024;
/// Broken constraints that are told of one value: a list of elements that are all wrong has as many.
const FOUND_MAX: usize = 50;

/// One broken constraint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// E.g. `Value '' at 'logGroupName' failed to satisfy constraint: Member must have length
    /// greater than or equal to 1`.
    pub text: String,
}

impl Violation {
    /// One answer for several: `2 validation errors detected: …; …`.
    #[must_use]
    pub fn message(violations: &[Self]) -> String {
        let errors = if violations.len() == 1 {
            "error"
        } else {
            "errors"
        };
        let texts: Vec<&str> = violations.iter().map(|v| v.text.as_str()).collect();
        format!(
            "{} validation {errors} detected: {}",
            texts.len(),
            texts.join("; ")
        )
    }
}

/// The constraints of the model that the value breaks, the first fifty of them; empty when it is as the model asks.
pub fn violations<T: Shape>(value: &T) -> Vec<Violation> {
    let mut walk = Walk::default();
    value.write(&mut walk);
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Vec<Violation>,
    /// Path of the value in hand, e.g. `logEvents.1.member.message`.
    path: String,
    frames: Vec<Frame>,
    /// Rules of the next value.
    rules: Option<&'static Rules>,
}

/// An open container.
struct Frame {
    description: Option<&'static StructDescription>,
    /// Names of the members that came.
    present: Vec<&'static str>,
    /// Length of the path up to here.
    path_len: usize,
    item: Option<&'static Rules>,
    key: Option<&'static Rules>,
    count: usize,
}

impl Walk {
    fn push(&mut self, description: Option<&'static StructDescription>) {
        let rules = self.rules.take();
        self.frames.push(Frame {
            description,
            present: Vec::new(),
            path_len: self.path.len(),
            item: rules.and_then(|r| r.item),
            key: rules.and_then(|r| r.key),
            count: 0,
        });
    }

    /// Makes the path end in `name`, below the innermost container.
    fn enter(&mut self, name: std::fmt::Arguments<'_>) {
        let len = self.frames.last().map_or(0, |f| f.path_len);
        self.path.truncate(len);
        if len > 0 {
            self.path.push('.');
        }
        let _ = self.path.write_fmt(name);
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.frames.pop()?;
        self.path.truncate(frame.path_len);
        Some(frame)
    }

    fn refuse(&mut self, value: &str, constraint: &str) {
        if self.found.len() >= FOUND_MAX {
            return;
        }
        let shown: String = value.chars().take(SHOWN_LEN_MAX).collect();
        let text = format!(
            "Value '{shown}' at '{}' failed to satisfy constraint: {constraint}",
            self.path
        );
        self.found.push(Violation { text });
    }

    fn check_length(&mut self, rules: &Rules, len: usize, shown: &str) {
        let len = len as f64;
        if let Some(min) = rules.min.filter(|min| len < *min) {
            self.refuse(
                shown,
                &format!("Member must have length greater than or equal to {min}"),
            );
        }
        if let Some(max) = rules.max.filter(|max| len > *max) {
            self.refuse(
                shown,
                &format!("Member must have length less than or equal to {max}"),
            );
        }
    }

    fn check_text(&mut self, rules: &Rules, value: &str) {
        if rules.min.is_some() || rules.max.is_some() {
            self.check_length(rules, value.chars().count(), value);
        }
        if let Some(pattern) = rules.pattern.as_ref().filter(|p| !p.matches(value)) {
            let text = pattern.text;
            self.refuse(
                value,
                &format!("Member must satisfy regular expression pattern: {text}"),
            );
        }
        if !rules.values.is_empty() && !rules.values.contains(&value) {
            let values = rules.values.join(", ");
            self.refuse(
                value,
                &format!("Member must satisfy enum value set: [{values}]"),
            );
        }
    }

    fn check_number(&mut self, value: f64, shown: &str) {
        let Some(rules) = self.rules.take() else {
            return;
        };
        if let Some(min) = rules.min.filter(|min| value < *min) {
            self.refuse(
                shown,
                &format!("Member must have value greater than or equal to {min}"),
            );
        }
        if let Some(max) = rules.max.filter(|max| value > *max) {
            self.refuse(
                shown,
                &format!("Member must have value less than or equal to {max}"),
            );
        }
    }

    fn check_count(&mut self, len: usize, shown: &str) {
        if let Some(rules) = self.rules {
            self.check_length(rules, len, shown);
        }
    }
}

impl ShapeWriter for Walk {
    fn begin_struct(&mut self, description: &'static StructDescription) {
        self.push(Some(description));
    }
    fn member(&mut self, member: &'static Member) {
        if let Some(frame) = self.frames.last_mut() {
            frame.present.push(member.name);
        }
        self.enter(format_args!("{}", member.name));
        self.rules = member.rules;
    }
    fn end_struct(&mut self) {
        let Some(frame) = self.frames.last() else {
            return;
        };
        let required = frame.description.map_or(&[][..], |d| d.members).iter();
        let missing: Vec<&'static str> = required
            .filter(|m| m.required && !frame.present.contains(&m.name))
            .map(|m| m.name)
            .collect();
        let room = FOUND_MAX.saturating_sub(self.found.len());
        for name in missing.into_iter().take(room) {
            self.enter(format_args!("{name}"));
            let text = format!(
                "Value null at '{}' failed to satisfy constraint: Member must not be null",
                self.path
            );
            self.found.push(Violation { text });
        }
        self.pop();
    }
    fn begin_list(&mut self, len: usize) {
        self.check_count(len, "[]");
        self.push(None);
    }
    fn element(&mut self) {
        let Some(frame) = self.frames.last_mut() else {
            return;
        };
        frame.count += 1;
        let (count, item) = (frame.count, frame.item);
        self.enter(format_args!("{count}.member"));
        self.rules = item;
    }
    fn end_list(&mut self) {
        self.pop();
    }
    fn begin_map(&mut self, len: usize) {
        self.check_count(len, "{}");
        self.push(None);
    }
    fn key(&mut self, key: &str) {
        let (item, rules) = self.frames.last().map_or((None, None), |f| (f.item, f.key));
        self.enter(format_args!("{key}"));
        if let Some(rules) = rules {
            self.check_text(rules, key);
        }
        self.enter(format_args!("{key}.member"));
        self.rules = item;
    }
    fn end_map(&mut self) {
        self.pop();
    }
    fn string(&mut self, value: &str) {
        if let Some(rules) = self.rules.take() {
            self.check_text(rules, value);
        }
    }
    fn boolean(&mut self, _: bool) {}
    fn long(&mut self, value: i64) {
        self.check_number(value as f64, &value.to_string());
    }
    fn double(&mut self, value: f64) {
        self.check_number(value, &value.to_string());
    }
    fn float(&mut self, value: f32) {
        self.check_number(f64::from(value), &value.to_string());
    }
    fn timestamp(&mut self, _: Timestamp) {}
    fn blob(&mut self, value: &[u8]) {
        self.check_count(value.len(), "");
        self.rules = None;
    }
    fn null(&mut self) {}
    // The model has no constraints on what is in one.
    fn document(&mut self, _: &serde_json::Value) {
        self.rules = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloudwatch::{MetricDatum, PutMetricDataInput};

    #[test]
    fn what_is_told_of_one_value_ends() {
        let of = |count| PutMetricDataInput {
            namespace: Some("n".into()),
            metric_data: Some(vec![MetricDatum::default(); count]),
            ..PutMetricDataInput::default()
        };
        assert_eq!(violations(&of(49)).len(), 49);
        assert_eq!(violations(&of(10_000)).len(), FOUND_MAX);
        let long = "x".repeat(300);
        let input = PutMetricDataInput {
            metric_data: Some(vec![
                MetricDatum {
                    metric_name: Some(long),
                    ..MetricDatum::default()
                };
                1_000
            ]),
            ..PutMetricDataInput::default()
        };
        assert_eq!(violations(&input).len(), FOUND_MAX);
    }
}
