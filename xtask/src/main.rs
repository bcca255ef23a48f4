//! Chores of the repository: `cargo xtask models|codegen`.

mod allow_list;
mod codegen;
mod facts;
mod models;
mod names;

use anyhow::{Result, bail};
use std::path::{Path, PathBuf};

const USAGE: &str = "usage: cargo xtask models [BOTOCORE_DATA_DIRECTORY]   make the fact files anew
       cargo xtask codegen [--check]                make (or compare) the generated shapes";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["models"] => models::make(None),
        ["models", directory] => models::make(Some(Path::new(directory))),
        ["codegen"] => codegen::write(),
        ["codegen", "--check"] => codegen::check(),
        _ => bail!("{USAGE}"),
    }
}

/// The crate `aws-api`, found from this crate's own place.
fn api_crate() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/aws-api")
}
