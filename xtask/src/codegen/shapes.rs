//! Structures and enums.

use super::rules;
use crate::facts::{Facts, Shape};
use crate::names::{constant, field};
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The structures, one text for each first letter.
pub fn by_letter(facts: &Facts, validate: bool) -> Result<BTreeMap<String, String>> {
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for (name, shape) in &facts.shapes {
        if shape.kind == "structure" {
            let letter = name[..1].to_lowercase();
            let text = structure(facts, name, shape, validate).with_context(|| name.clone())?;
            bodies.entry(letter).or_default().push_str(&text);
        }
    }
    Ok(bodies
        .into_iter()
        .map(|(letter, body)| {
            let text = format!("{}{body}", uses(&body));
            (letter, text)
        })
        .collect())
}

/// The `use` lines a text needs.
fn uses(body: &str) -> String {
    let mut lines = String::new();
    if body.contains("rules::") {
        lines.push_str("use super::super::rules;\n");
    }
    lines.push_str("#[allow(unused_imports)]\nuse super::*;\n");
    lines.push_str("use crate::description::{");
    if body.contains("Kind::") {
        lines.push_str("Kind, ");
    }
    if body.contains("Member::new") {
        lines.push_str("Member, ");
    }
    lines.push_str("StructDescription};\nuse crate::shape::structure;\n");
    if body.contains("Document>") {
        lines.push_str("use crate::document::Document;\n");
    }
    if body.contains("Timestamp>") {
        lines.push_str("use aws_types::Timestamp;\n");
    }
    if body.contains("BTreeMap<") {
        lines.push_str("use std::collections::BTreeMap;\n");
    }
    lines.push('\n');
    lines
}

fn structure(facts: &Facts, name: &str, shape: &Shape, validate: bool) -> Result<String> {
    let mut fields = String::new();
    let mut table = String::new();
    let mut list = String::new();
    for member in &shape.members {
        let rust = field(member.field.as_ref().unwrap_or(&member.name));
        let mut ty = rust_type(facts, &member.shape)?;
        if is_recursive(facts, name, &member.shape) {
            ty = format!("Box<{ty}>");
        }
        writeln!(fields, "pub {rust}: Option<{ty}>,")?;
        write!(
            table,
            "Member::new({:?}, {})",
            member.name,
            kind(facts, &member.shape)?
        )?;
        if member.required {
            table.push_str(".required()");
        }
        if let Some(query) = &member.query {
            write!(table, ".query_name({query:?})")?;
        }
        let target = facts.shapes.get(&member.shape).context("member's shape")?;
        if target.flattened {
            table.push_str(".item_name(None)");
        } else if let Some(item) = &target.item_name {
            write!(table, ".item_name(Some({item:?}))")?;
        }
        if validate && rules::any(facts, &member.shape) {
            write!(table, ".rules(&rules::{})", constant(&member.shape))?;
        }
        table.push_str(",\n");
        write!(list, ", {rust}")?;
    }
    let upper = constant(name);
    Ok(format!(
        "/// `{name}` of the model.\n#[derive(Clone, Debug, Default, PartialEq)]\n\
         pub struct {name} {{\n{fields}}}\n\n\
         /// Describes [`{name}`].\n\
         pub static {upper}: StructDescription =\n\
         StructDescription {{ name: {name:?}, members: &[{table}] }};\n\
         structure!({name}, {upper}{list});\n\n"
    ))
}

fn rust_type(facts: &Facts, name: &str) -> Result<String> {
    let shape = facts
        .shapes
        .get(name)
        .with_context(|| format!("no shape {name}"))?;
    let item = || shape.item.as_deref().context("an item");
    Ok(match shape.kind.as_str() {
        "structure" => name.into(),
        "list" => format!("Vec<{}>", rust_type(facts, item()?)?),
        "map" => format!("BTreeMap<String, {}>", rust_type(facts, item()?)?),
        "string" => "String".into(),
        "integer" => "i32".into(),
        "long" => "i64".into(),
        "double" => "f64".into(),
        "float" => "f32".into(),
        "boolean" => "bool".into(),
        "timestamp" => "Timestamp".into(),
        "blob" => "Vec<u8>".into(),
        "document" => "Document".into(),
        other => bail!("shape {name} has the unknown type {other}"),
    })
}

/// The description of a shape's type.
pub fn kind(facts: &Facts, name: &str) -> Result<String> {
    let shape = facts
        .shapes
        .get(name)
        .with_context(|| format!("no shape {name}"))?;
    let item = || kind(facts, shape.item.as_deref().context("an item")?);
    Ok(match shape.kind.as_str() {
        "structure" => format!("Kind::Structure(&{})", constant(name)),
        "list" => format!("Kind::List(&{})", item()?),
        "map" => format!("Kind::Map(&{})", item()?),
        scalar => format!("Kind::{}{}", scalar[..1].to_uppercase(), &scalar[1..]),
    })
}

/// Whether a value of `member` can directly hold another of the structure `owner`; lists and maps
/// are pointers already.
fn is_recursive(facts: &Facts, owner: &str, member: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![member];
    while let Some(name) = waiting.pop() {
        let Some(shape) = facts.shapes.get(name) else {
            continue;
        };
        if shape.kind == "structure" && seen.insert(name) {
            if name == owner {
                return true;
            }
            waiting.extend(shape.members.iter().map(|m| m.shape.as_str()));
        }
    }
    false
}

/// The values of each enum.
pub fn enums(facts: &Facts) -> String {
    let mut text = String::from("//! The values of enums, which travel as text.\n\n");
    for (name, shape) in facts.shapes.iter().filter(|(_, s)| !s.values.is_empty()) {
        let _ = writeln!(
            text,
            "/// Values of `{name}`.\npub const {}: &[&str] = &{:?};\n",
            constant(name),
            shape.values
        );
    }
    text
}
