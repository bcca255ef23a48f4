//! Chores of the repository: `cargo xtask models|codegen|tidy`.

mod allow_list;
mod codegen;
mod facts;
mod models;
mod names;
mod tidy;

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const USAGE: &str = "usage: cargo xtask models [BOTOCORE_DATA_DIRECTORY]   make the fact files anew
       cargo xtask codegen [--check]                make (or compare) the generated shapes
       cargo xtask tidy                             check the rules of the house";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["models"] => models::make(None),
        ["models", directory] => models::make(Some(Path::new(directory))),
        ["codegen"] => codegen::write(),
        ["codegen", "--check"] => codegen::check(),
        ["tidy"] => tidy(),
        _ => bail!("{USAGE}"),
    }
}

/// Prints what breaks a rule of the house.
fn tidy() -> Result<()> {
    let findings = tidy::check(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        Ok(())
    } else {
        bail!("{} findings", findings.len())
    }
}

/// The crate `aws-api`, found from this crate's own place.
fn api_crate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/aws-api")
}
