//! Constraints of the model, as static tables.

use crate::facts::{Facts, Shape};
use crate::names::constant;
use std::fmt::Write as _;

/// Whether a value of this shape has a rule of its own, or its elements have.
pub fn any(facts: &Facts, name: &str) -> bool {
    facts.shapes.get(name).is_some_and(|shape| {
        own(shape)
            || [&shape.item, &shape.key]
                .into_iter()
                .flatten()
                .any(|n| any(facts, n))
    })
}

fn own(shape: &Shape) -> bool {
    shape.min.is_some()
        || shape.max.is_some()
        || shape.pattern.is_some()
        || !shape.values.is_empty()
}

/// One static for each shape with rules. The name of a structure never stands here.
pub fn file(facts: &Facts) -> String {
    let mut text = String::from("//! What the model asks of values.\n\n");
    let with_rules: Vec<_> = facts
        .shapes
        .iter()
        .filter(|(name, shape)| shape.kind != "structure" && any(facts, name))
        .collect();
    if with_rules.iter().any(|(_, shape)| shape.pattern.is_some()) {
        text.push_str("use crate::description::Pattern;\n");
    }
    if !with_rules.is_empty() {
        text.push_str("use crate::description::Rules;\n\n");
    }
    for (name, shape) in with_rules {
        let _ = writeln!(
            text,
            "pub static {}: Rules = Rules {{ {} }};\n",
            constant(name),
            fields(facts, shape)
        );
    }
    text
}

fn fields(facts: &Facts, shape: &Shape) -> String {
    let mut fields = String::new();
    for (field, value) in [("min", shape.min), ("max", shape.max)] {
        if let Some(value) = value {
            let _ = write!(fields, "{field}: Some({value:?}), ");
        }
    }
    if let Some(pattern) = &shape.pattern {
        let _ = write!(fields, "pattern: Some(Pattern::new({pattern:?})), ");
    }
    if !shape.values.is_empty() {
        let _ = write!(fields, "values: &{:?}, ", shape.values);
    }
    for (field, target) in [("item", &shape.item), ("key", &shape.key)] {
        let is_scalar = |n: &&String| facts.shapes.get(*n).is_some_and(|s| s.kind != "structure");
        if let Some(target) = target.as_ref().filter(is_scalar).filter(|n| any(facts, n)) {
            let _ = write!(fields, "{field}: Some(&{}), ", constant(target));
        }
    }
    fields.push_str("..Rules::NONE");
    fields
}
