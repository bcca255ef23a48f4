//! Layers and purity: which crate may name which as a direct dependency.
//!
//! Rule: design, section 9. Arrows point down only; below the line of purity no crate names an
//! async runtime, a socket, a kernel or a random-source library.

use super::Finding;
use std::path::Path;

/// Crates with their layer. Among services the order is that of the list.
const LAYERS: &[(&str, u8)] = &[
    ("aws-types", 0),
    ("aws-api", 1),
    ("aws-wire", 1),
    ("store", 2),
    ("iam", 3),
    ("events", 3),
    ("telemetry", 3),
    ("ec2", 3),
    ("servicediscovery", 3),
    ("ecs", 3),
    ("control", 4),
    ("runtime", 4),
    ("netdev", 4),
    ("agent", 5),
    ("sim", 6),
    ("longshore", 7),
];

/// Layers 0, 1 and 3 are pure; `store` (2) is the one exception, in `backend/` and `writer`.
const PURE: &[&str] = &[
    "aws-types",
    "aws-api",
    "aws-wire",
    "iam",
    "telemetry",
    "events",
    "ec2",
    "servicediscovery",
    "ecs",
];

/// What a pure crate never names among its dependencies (tests may).
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "hyper-util",
    "rustix",
    "nix",
    "libc",
    "rand",
    "getrandom",
    "redb",
    "fjall",
    "rtnetlink",
    "reqwest",
    "tokio-tungstenite",
    "rustls",
    "tempfile",
];

/// The effects crates know no service.
const EFFECTS: &[&str] = &["runtime", "netdev"];

/// Checks every crate's manifest.
pub fn check(root: &Path) -> std::io::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(root.join("crates"))? {
        let directory = entry?.path();
        let manifest = directory.join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else {
            continue;
        };
        let name = directory
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        findings.extend(check_manifest(&name, &text));
        if PURE.contains(&name.as_str()) && !directory.join("clippy.toml").exists() {
            findings.push(Finding {
                place: format!("crates/{name}"),
                what: "a pure crate links clippy.toml to ../../pure-clippy.toml".into(),
            });
        }
    }
    Ok(findings)
}

fn check_manifest(name: &str, manifest: &str) -> Vec<Finding> {
    let place = format!("crates/{name}/Cargo.toml");
    let Some(own) = position(name) else {
        return vec![Finding {
            place,
            what: format!("crate {name} has no layer in xtask/src/tidy/layers.rs"),
        }];
    };
    let finding = |what: String| Finding {
        place: place.clone(),
        what,
    };
    let mut findings = Vec::new();
    for dependency in dependencies(manifest) {
        if PURE.contains(&name) && IMPURE.contains(&dependency.as_str()) {
            findings.push(finding(format!("the pure crate {name} names {dependency}")));
        }
        let Some(other) = position(&dependency) else {
            continue;
        };
        if other >= own
            && LAYERS[other].1 >= LAYERS[own].1
            && dependency != name
            && !same_wire(name, &dependency)
        {
            findings.push(finding(format!(
                "{name} names {dependency}, which lies above it or beside it"
            )));
        }
        if EFFECTS.contains(&name) && (2..=3).contains(&LAYERS[other].1) {
            findings.push(finding(format!(
                "{name} knows plain data only, not {dependency}"
            )));
        }
    }
    findings
}

/// `aws-wire` encodes the shapes of `aws-api`.
fn same_wire(name: &str, dependency: &str) -> bool {
    (name, dependency) == ("aws-wire", "aws-api")
}

fn position(name: &str) -> Option<usize> {
    LAYERS.iter().position(|(layer, _)| *layer == name)
}

/// Names in `[dependencies]` and `[target.….dependencies]`; dev-dependencies are the tests' own.
fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[dependencies]" || line.ends_with(".dependencies]");
        } else if inside
            && let Some(name) = line.split(['=', '.', ' ']).next()
            && !name.is_empty()
            && !name.starts_with('#')
        {
            names.push(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_that_points_up_and_an_impure_dependency_are_found() {
        let findings = check_manifest(
            "telemetry",
            "[dependencies]\necs.workspace = true\ntokio = \"1\"\nstore.workspace = true\n[dev-dependencies]\ntempfile = \"3\"\n",
        );
        let what: Vec<_> = findings
            .iter()
            .map(|finding| finding.what.as_str())
            .collect();
        assert_eq!(
            what,
            [
                "telemetry names ecs, which lies above it or beside it",
                "the pure crate telemetry names tokio"
            ]
        );
        assert_eq!(
            check_manifest("aws-wire", "[dependencies]\naws-api.workspace = true\n"),
            []
        );
    }
}
