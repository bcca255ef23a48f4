//! Which AWS CLI is installed: `AWS_ENDPOINT_URL` is honoured from 1.29 and 2.13 on.

use std::process::Command;

/// What to tell the user about the installed `aws`, if anything.
pub fn warning() -> Option<String> {
    let output = Command::new("aws").arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(if output.stdout.is_empty() {
        &output.stderr
    } else {
        &output.stdout
    })
    .into_owned();
    let version = parse(&text)?;
    too_old(version).then(|| {
        format!(
            "the installed aws {}.{} ignores AWS_ENDPOINT_URL: give every command `--endpoint-url \"$AWS_ENDPOINT_URL\"`, or install 1.29/2.13 or newer (pip install --upgrade awscli)",
            version.0, version.1
        )
    })
}

/// `aws-cli/2.9.19 Python/3.11.2 …` → (2, 9).
fn parse(text: &str) -> Option<(u32, u32)> {
    let version = text
        .trim()
        .strip_prefix("aws-cli/")?
        .split_whitespace()
        .next()?;
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn too_old((major, minor): (u32, u32)) -> bool {
    match major {
        0 => true,
        1 => minor < 29,
        2 => minor < 13,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_ignore_the_endpoint_variable_are_known() {
        for (text, old) in [
            ("aws-cli/2.9.19 Python/3.11.2 Linux/6.1", true),
            ("aws-cli/2.13.0 Python/3.11.2", false),
            ("aws-cli/1.28.9 Python/3.9", true),
            ("aws-cli/1.46.3 md/Botocore#1.44.5", false),
        ] {
            assert_eq!(parse(text).map(too_old), Some(old), "{text}");
        }
        assert_eq!(parse("bash: aws: not found"), None);
    }
}
