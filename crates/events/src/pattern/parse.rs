//! The text of a pattern into its tests, with the reason where it is none.

use super::cidr::Cidr;
use super::numeric::{self, Range};
use super::test::{Affix, Test};
use super::wildcard::Wildcard;
use super::{Fields, Node};
use serde_json::{Map, Value};

/// Reads a pattern.
pub(super) fn pattern(text: &str) -> Result<Fields, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    match &value {
        Value::Object(members) => fields(members),
        _ => Err("Filter is not an object".into()),
    }
}

fn fields(members: &Map<String, Value>) -> Result<Fields, String> {
    if members.is_empty() {
        return Err("Empty objects are not allowed".into());
    }
    let mut read = Fields::default();
    for (name, value) in members {
        match (name.as_str(), value) {
            ("$or", Value::Array(alternatives)) if is_or(alternatives) => {
                read.either.push(either(alternatives)?);
            }
            (_, Value::Object(members)) => {
                read.named
                    .push((name.clone(), Node::Fields(fields(members)?)));
            }
            (_, Value::Array(tests)) => {
                read.named
                    .push((name.clone(), Node::Tests(tests_of(tests)?)));
            }
            _ => return Err(format!("\"{name}\" must be an object or an array")),
        }
    }
    Ok(read)
}

/// Whether `$or` is the operator and no field of that name: it has two alternatives or more.
fn is_or(alternatives: &[Value]) -> bool {
    alternatives.len() > 1 && alternatives.iter().all(Value::is_object)
}

fn either(alternatives: &[Value]) -> Result<Vec<Fields>, String> {
    let objects = alternatives.iter().filter_map(Value::as_object);
    objects.map(fields).collect()
}

fn tests_of(values: &[Value]) -> Result<Vec<Test>, String> {
    if values.is_empty() {
        return Err("Empty arrays are not allowed".into());
    }
    values.iter().map(test).collect()
}

fn test(value: &Value) -> Result<Test, String> {
    match value {
        Value::Object(members) => {
            let (name, operand) = only(members)?;
            operator(name, operand)
        }
        plain => exact(plain),
    }
}

fn exact(value: &Value) -> Result<Test, String> {
    match value {
        Value::Null => Ok(Test::Null),
        Value::Bool(wanted) => Ok(Test::Bool(*wanted)),
        Value::String(text) => Ok(Test::Text(text.clone())),
        Value::Number(number) => {
            let number = number.as_f64().ok_or("Value must be numeric")?;
            Ok(Test::Number(number))
        }
        Value::Array(_) | Value::Object(_) => {
            Err("Match value must be String, number, true, false, or null".into())
        }
    }
}

fn only(members: &Map<String, Value>) -> Result<(&str, &Value), String> {
    let mut all = members.iter();
    match (all.next(), all.next()) {
        (Some((name, value)), None) => Ok((name, value)),
        _ => Err("Only one key allowed in match expression".into()),
    }
}

fn operator(name: &str, operand: &Value) -> Result<Test, String> {
    match name {
        "prefix" => affix(name, operand).map(Test::Prefix),
        "suffix" => affix(name, operand).map(Test::Suffix),
        "equals-ignore-case" => Ok(Test::IgnoreCase(text(name, operand)?.to_lowercase())),
        "wildcard" => Wildcard::parse(text(name, operand)?).map(Test::Wildcard),
        "numeric" => Range::parse(operand).map(Test::Numeric),
        "exists" => match operand {
            Value::Bool(wanted) => Ok(Test::Exists(*wanted)),
            _ => Err("exists match pattern must be either true or false.".into()),
        },
        "cidr" => Cidr::parse(text(name, operand)?)
            .map(Test::Cidr)
            .ok_or_else(|| "Malformed CIDR".into()),
        "anything-but" => anything_but(operand).map(Test::AnythingBut),
        other => Err(format!("Unrecognized match type {other}")),
    }
}

fn text<'v>(name: &str, operand: &'v Value) -> Result<&'v str, String> {
    operand
        .as_str()
        .ok_or_else(|| format!("{name} match pattern must be a string"))
}

/// A text, or one whose case is ignored.
fn affix(name: &str, operand: &Value) -> Result<Affix, String> {
    let Value::Object(members) = operand else {
        let text = text(name, operand)?.to_owned();
        return Ok(Affix {
            text,
            ignore_case: false,
        });
    };
    match only(members)? {
        ("equals-ignore-case", folded) => Ok(Affix {
            text: text("equals-ignore-case", folded)?.to_lowercase(),
            ignore_case: true,
        }),
        (other, _) => Err(format!("Unsupported nested match type {other} in {name}")),
    }
}

/// One text or number, several of one kind, or one operator on one or several texts.
fn anything_but(operand: &Value) -> Result<Vec<Test>, String> {
    match operand {
        Value::String(_) => Ok(vec![exact(operand)?]),
        Value::Number(number) => {
            numeric::within(number.as_f64().unwrap_or(f64::INFINITY))?;
            Ok(vec![exact(operand)?])
        }
        Value::Array(values) => {
            let is_uniform =
                values.iter().all(Value::is_string) || values.iter().all(Value::is_number);
            match (values.is_empty(), is_uniform) {
                (false, true) => values.iter().map(exact).collect(),
                (true, _) => Err("Empty arrays are not allowed".into()),
                (false, false) => Err(
                    "Inside anything-but list, either all values are number or string, mixed type \
                     is not supported"
                        .into(),
                ),
            }
        }
        Value::Object(members) => {
            let (name, inner) = only(members)?;
            if !matches!(
                name,
                "prefix" | "suffix" | "equals-ignore-case" | "wildcard"
            ) {
                return Err(format!("Unsupported anything-but pattern: {name}"));
            }
            match inner {
                Value::Array(texts) if texts.is_empty() => {
                    Err("Empty arrays are not allowed".into())
                }
                Value::Array(texts) => texts.iter().map(|text| operator(name, text)).collect(),
                one => Ok(vec![operator(name, one)?]),
            }
        }
        Value::Null | Value::Bool(_) => {
            Err("Value of anything-but must be an array or single string/number value.".into())
        }
    }
}
