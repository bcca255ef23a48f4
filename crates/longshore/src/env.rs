//! `longshore env`: the exports for the AWS CLI and SDKs.
//!
//! Standard output holds `export` lines only, so that a shell can evaluate it; warnings go to
//! standard error.

use crate::aws_cli;
use crate::settings::Settings;
use std::process::ExitCode;

/// Prints the exports.
pub fn run(settings: &Settings) -> anyhow::Result<ExitCode> {
    let info = settings.data.server_info()?;
    let key = settings.data.root_key()?;
    for (name, value) in [
        ("AWS_ENDPOINT_URL", info.url.as_str()),
        // Some calls (DiscoverInstances) go to a host of their own with AWS; here all have one address.
        ("AWS_DISABLE_HOST_PREFIX_INJECTION", "true"),
        ("AWS_ACCESS_KEY_ID", &key.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &key.secret_access_key),
        ("AWS_REGION", &info.region),
        ("AWS_DEFAULT_REGION", &info.region),
    ] {
        println!("export {name}={}", quoted(value));
    }
    if let Some(file) = &info.ca_file {
        println!(
            "export AWS_CA_BUNDLE={}",
            quoted(&file.display().to_string())
        );
    }
    for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE"] {
        if std::env::var_os(name).is_some() {
            eprintln!(
                "longshore env: {name} is set in this shell and would be used with these keys; run `unset {name}`"
            );
        }
    }
    if let Some(warning) = aws_cli::warning() {
        eprintln!("longshore env: {warning}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Single quotes, so that the shell changes nothing.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_value_survives_the_shell() {
        assert_eq!(super::quoted("a/b+c"), "'a/b+c'");
        assert_eq!(super::quoted("it's"), r"'it'\''s'");
    }
}
