//! `longshore server token`: a one-time token with which another machine joins.

use crate::api::Root;
use crate::cli::TokenOptions;
use crate::settings::Settings;
use anyhow::Context;
use std::process::ExitCode;

/// Makes a token and prints it, and what it is worth.
pub fn run(settings: &Settings, options: &TokenOptions) -> anyhow::Result<ExitCode> {
    let body = serde_json::json!({ "seconds": options.expires.0.as_secs() }).to_string();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let root = Root::of(settings)?;
    let text = runtime.block_on(root.post("/longshore/token", body.into_bytes()))?;
    let answer: serde_json::Value = serde_json::from_str(&text)?;
    let token = answer["token"].as_str().context("an unreadable answer")?;
    println!("{token}");
    let info = settings.data.server_info()?;
    let known_by = match answer["ca_fingerprint"].as_str() {
        Some(digest) => format!("CA fingerprint (SHA-256, part of the token): {digest}"),
        None => "Plain HTTP on loopback: only this machine can join.".to_owned(),
    };
    eprintln!("{known_by}");
    eprintln!(
        "Good once, for {}. On the other machine, with an address of this one that it reaches:\n  longshore agent --server {} --token {token}",
        options.expires, info.url
    );
    Ok(ExitCode::SUCCESS)
}
