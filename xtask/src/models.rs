//! `cargo xtask models`: makes the fact files from botocore's data directory.

use crate::facts::{ErrorFacts, Facts, Member, Operation, Shape};
use crate::{allow_list, api_crate};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes `models/SERVICE.json` for every service of the allow-list.
pub fn make(directory: Option<&Path>) -> Result<()> {
    let directory = match directory {
        Some(given) => given.to_path_buf(),
        None => ask_python()?,
    };
    let release = release(&directory)?;
    for (service, listed) in allow_list::read()? {
        let model = read_model(&directory.join(&service))?;
        let facts =
            facts(&model, &listed, &release).with_context(|| format!("model of {service}"))?;
        let path = api_crate().join("models").join(format!("{service}.json"));
        std::fs::write(&path, facts.to_text()?)?;
        println!("{}: {} shapes", path.display(), facts.shapes.len());
    }
    println!("taken from {release}: NOTICE must name it");
    Ok(())
}

fn ask_python() -> Result<PathBuf> {
    let program =
        "import botocore, os; print(os.path.join(os.path.dirname(botocore.__file__), 'data'))";
    let output = Command::new("python3")
        .args(["-c", program])
        .output()
        .context("python3")?;
    if !output.status.success() {
        bail!("python3 has no botocore: pip install botocore, or name its data directory");
    }
    Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()))
}

/// `botocore X.Y.Z`, from the package beside the data directory.
fn release(directory: &Path) -> Result<String> {
    let path = directory.join("../__init__.py");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let version = text
        .lines()
        .find_map(|line| line.strip_prefix("__version__ = "))
        .context("botocore's __version__")?;
    Ok(format!(
        "botocore {}",
        version.trim_matches(|c| c == '\'' || c == '"')
    ))
}

/// The newest version's `service-2.json.gz`.
fn read_model(directory: &Path) -> Result<Value> {
    let newest = std::fs::read_dir(directory)
        .with_context(|| directory.display().to_string())?
        .filter_map(|entry| entry.ok().map(|e| e.path()))
        .filter(|path| path.is_dir())
        .max()
        .context("no version of the model")?;
    let file = std::fs::File::open(newest.join("service-2.json.gz"))?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(file).read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}

fn facts(model: &Value, listed: &allow_list::Service, release: &str) -> Result<Facts> {
    let metadata = &model["metadata"];
    let all = model["operations"].as_object().context("operations")?;
    let mut operations = BTreeMap::new();
    for name in &listed.operations {
        let operation = all
            .get(name)
            .with_context(|| format!("no operation {name}"))?;
        operations.insert(name.clone(), operation_facts(operation));
    }
    let mut shapes = BTreeMap::new();
    let roots = operations
        .values()
        .flat_map(|o| o.input.iter().chain(&o.output));
    let mut waiting: Vec<String> = roots.cloned().collect();
    let naming = Naming {
        is_ec2: protocols(metadata) == ["ec2"],
        omit: &listed.omit,
    };
    while let Some(name) = waiting.pop() {
        if let Entry::Vacant(free) = shapes.entry(name) {
            let shape = shape_facts(free.key(), &model["shapes"][free.key()], &naming);
            waiting.extend(shape.members.iter().map(|m| m.shape.clone()));
            waiting.extend(shape.item.iter().chain(&shape.key).cloned());
            free.insert(shape);
        }
    }
    Ok(Facts {
        source: release.into(),
        api_version: text(&metadata["apiVersion"]).context("apiVersion")?,
        signing_name: text(&metadata["signingName"])
            .or_else(|| text(&metadata["endpointPrefix"]))
            .context("signing name")?,
        protocols: protocols(metadata),
        target_prefix: text(&metadata["targetPrefix"]),
        xml_namespace: text(&metadata["xmlNamespace"]),
        query_compatible: metadata["awsQueryCompatible"].is_object(),
        names: all
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect(),
        operations,
        errors: error_facts(model),
        shapes,
    })
}

/// The protocols of the model, JSON with its version.
fn protocols(metadata: &Value) -> Vec<String> {
    let json = format!("json-{}", metadata["jsonVersion"].as_str().unwrap_or("1.1"));
    let listed = metadata["protocols"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    listed
        .iter()
        .filter_map(Value::as_str)
        .map(|p| {
            if p == "json" {
                json.clone()
            } else {
                p.to_owned()
            }
        })
        .collect()
}

fn operation_facts(operation: &Value) -> Operation {
    let errors = operation["errors"].as_array().into_iter().flatten();
    Operation {
        input: text(&operation["input"]["shape"]),
        output: text(&operation["output"]["shape"]),
        wrapper: text(&operation["output"]["resultWrapper"]),
        errors: errors.filter_map(|e| text(&e["shape"])).collect(),
    }
}

fn error_facts(model: &Value) -> BTreeMap<String, ErrorFacts> {
    let shapes = model["shapes"].as_object().into_iter().flatten();
    shapes
        .filter(|(_, shape)| shape["exception"] == true)
        .map(|(name, shape)| {
            let error = &shape["error"];
            let server_fault = shape["fault"] == true;
            let usual = if server_fault { 500 } else { 400 };
            let status = error["httpStatusCode"]
                .as_u64()
                .and_then(|s| u16::try_from(s).ok());
            let code = text(&error["code"]).unwrap_or_else(|| name.clone());
            (
                name.clone(),
                ErrorFacts {
                    code,
                    status: status.unwrap_or(usual),
                    server_fault,
                },
            )
        })
        .collect()
}

/// What decides how members are called, and which are left out.
struct Naming<'a> {
    is_ec2: bool,
    omit: &'a [String],
}

impl Naming<'_> {
    /// Rule: Smithy's AWS EC2 query protocol: a form's name is `queryName`, else the location's with a
    /// capital first letter, else the member's; an answer's is the location's, else the member's.
    fn member(&self, name: &str, member: &Value, required: bool) -> Member {
        let location = text(&member["locationName"]);
        let capital = |name: &String| {
            let (first, rest) = name.split_at(1);
            first.to_uppercase() + rest
        };
        let query = text(&member["queryName"])
            .or_else(|| location.as_ref().map(capital))
            .unwrap_or_else(|| name.to_owned());
        Member {
            name: location.unwrap_or_else(|| name.to_owned()),
            query: self.is_ec2.then_some(query),
            field: self.is_ec2.then(|| name.to_owned()),
            shape: text(&member["shape"]).unwrap_or_default(),
            required,
        }
    }
}

fn shape_facts(name: &str, shape: &Value, naming: &Naming<'_>) -> Shape {
    let required: Vec<&str> = shape["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let members = shape["members"].as_object().into_iter().flatten();
    // A list's element stands under `member`, a map's under `value`.
    let item = if shape["type"] == "map" {
        &shape["value"]
    } else {
        &shape["member"]
    };
    let values = shape["enum"].as_array().into_iter().flatten();
    Shape {
        kind: match shape["document"] == true {
            true => "document".into(),
            false => text(&shape["type"]).unwrap_or_default(),
        },
        members: members
            .filter(|(member, _)| !naming.omit.contains(&format!("{name}.{member}")))
            .map(|(name, member)| naming.member(name, member, required.contains(&name.as_str())))
            .collect(),
        item: text(&item["shape"]),
        item_name: text(&item["locationName"]),
        key: text(&shape["key"]["shape"]),
        flattened: shape["flattened"] == true,
        min: shape["min"].as_f64(),
        max: shape["max"].as_f64(),
        pattern: text(&shape["pattern"]),
        values: values.filter_map(text).collect(),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
