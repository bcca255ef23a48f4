//! What a target is given of an event: all of it, a part (`InputPath`), something else (`Input`), or a
//! text with parts in it (`InputTransformer`).
//!
//! Rule: EventBridge user guide, "Input transformation".

mod path;
mod template;

pub use path::Path;

use crate::records::RuleKey;
use aws_api::events::{InputTransformer, Target};
use aws_types::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;

/// What the target is given of this event.
#[must_use]
pub fn of(target: &Target, rule: &RuleKey, event: &Value, now: Timestamp) -> String {
    if let Some(input) = &target.input {
        return input.clone();
    }
    if let Some(transformer) = &target.input_transformer {
        return transformed(transformer, rule, event, now);
    }
    let path = target.input_path.as_deref().and_then(Path::parse);
    match path {
        Some(path) => path.find(event).unwrap_or(Value::Null).to_string(),
        None => event.to_string(),
    }
}

fn transformed(
    transformer: &InputTransformer,
    rule: &RuleKey,
    event: &Value,
    now: Timestamp,
) -> String {
    let paths = transformer.input_paths_map.iter().flatten();
    let mut values: BTreeMap<&str, Value> = paths
        .filter_map(|(name, path)| Some((name.as_str(), Path::parse(path)?.find(event)?)))
        .collect();
    values.insert("aws.events.rule-arn", rule.arn().into());
    values.insert("aws.events.rule-name", rule.name.clone().into());
    values.insert("aws.events.event.ingestion-time", now.iso8601().into());
    values.insert("aws.events.event", without_detail(event));
    values.insert("aws.events.event.json", event.clone());
    let template = transformer.input_template.as_deref().unwrap_or_default();
    template::fill(template, &values)
}

/// `<aws.events.event>` is the event without its `detail`.
fn without_detail(event: &Value) -> Value {
    let mut event = event.clone();
    if let Some(members) = event.as_object_mut() {
        members.remove("detail");
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_types::Scope;
    use serde_json::json;

    fn given(target: &Target) -> String {
        let rule = RuleKey::new(&Scope::new("000000000000", "us-east-1"), "r");
        let event = json!({
            "source": "s",
            "detail": {"status": "up \"now\"", "count": 2, "list": [{"n": 1}, {"n": 2}]}
        });
        of(target, &rule, &event, Timestamp::EPOCH)
    }

    fn template(text: &str) -> String {
        let paths = [
            ("status", "$.detail.status"),
            ("count", "$.detail.count"),
            ("first", "$.detail.list[0].n"),
            ("gone", "$.detail.gone"),
        ];
        let paths = paths.map(|(name, path)| (name.to_owned(), path.to_owned()));
        given(&Target {
            input_transformer: Some(InputTransformer {
                input_paths_map: Some(paths.into()),
                input_template: Some(text.into()),
            }),
            ..Target::default()
        })
    }

    #[test]
    fn a_target_gets_the_event_a_part_or_what_it_asked_for() {
        let all = given(&Target::default());
        assert!(all.contains("\"source\":\"s\""));
        let part = Target {
            input_path: Some("$.detail.list[1]".into()),
            ..Target::default()
        };
        assert_eq!(given(&part), r#"{"n":2}"#);
        let own = Target {
            input: Some(r#"{"a":1}"#.into()),
            ..Target::default()
        };
        assert_eq!(given(&own), r#"{"a":1}"#);
    }

    #[test]
    fn templates_take_values_inside_and_outside_of_texts() {
        for (text, expected) in [
            (
                r#"{"s": <status>, "n": <count>}"#,
                r#"{"s": "up \"now\"", "n": 2}"#,
            ),
            (
                r#"{"s": "is <status> (<count>)"}"#,
                r#"{"s": "is up \"now\" (2)"}"#,
            ),
            (r#""<first> and <gone>.""#, r#""1 and .""#),
            (r#"{"a": <gone>}"#, r#"{"a": null}"#),
            (r#"{"r": "<aws.events.rule-name>"}"#, r#"{"r": "r"}"#),
            (r#"{"e": <aws.events.event>}"#, r#"{"e": {"source":"s"}}"#),
            ("a <b> c < d", "a null c < d"),
        ] {
            assert_eq!(template(text), expected, "{text}");
        }
    }
}
