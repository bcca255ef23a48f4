//! A tree of texts by path: a leaf is its text, a directory the list of what is in it.

use std::collections::{BTreeMap, BTreeSet};

/// Texts by their path below the version, such as `meta-data/mac`.
pub type Tree = BTreeMap<String, String>;

/// What stands at a path such as `/latest/meta-data/mac`; `None` where nothing does.
pub fn read(tree: &Tree, path: &str) -> Option<String> {
    let path = path.strip_prefix('/')?;
    let (version, rest) = path.split_once('/').unwrap_or((path, ""));
    if !is_version(version) {
        return path.is_empty().then(|| "latest".into());
    }
    let rest = rest.trim_end_matches('/');
    if let Some(text) = tree.get(rest) {
        return Some(text.clone());
    }
    let prefix = match rest {
        "" => String::new(),
        rest => format!("{rest}/"),
    };
    let within = tree.keys().filter_map(|path| path.strip_prefix(&prefix));
    let child = |path: &str| match path.split_once('/') {
        Some((directory, _)) => format!("{directory}/"),
        None => path.to_owned(),
    };
    let children: BTreeSet<String> = within.map(child).collect();
    let listed: Vec<String> = children.into_iter().collect();
    (!listed.is_empty()).then(|| listed.join("\n"))
}

/// `latest`, or a date or number of AWS's: they have had all that is here for long.
fn is_version(text: &str) -> bool {
    text == "latest" || text == "1.0" || {
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        text.split('-').count() == 3 && text.split('-').all(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_its_text_and_a_directory_what_is_in_it() {
        let pairs = [
            ("meta-data/mac", "02:00"),
            ("meta-data/placement/region", "us-east-1"),
            ("meta-data/placement/availability-zone", "us-east-1a"),
            ("dynamic/instance-identity/document", "{}"),
        ];
        let tree: Tree = pairs.map(|(path, text)| (path.into(), text.into())).into();
        for (path, expected) in [
            ("/latest/meta-data/mac", Some("02:00")),
            ("/2021-03-23/meta-data/mac", Some("02:00")),
            ("/latest/meta-data/", Some("mac\nplacement/")),
            ("/latest/meta-data", Some("mac\nplacement/")),
            (
                "/latest/meta-data/placement/",
                Some("availability-zone\nregion"),
            ),
            ("/latest/", Some("dynamic/\nmeta-data/")),
            ("/", Some("latest")),
            ("/latest/meta-data/iam/security-credentials/", None),
            ("/latest/user-data", None),
            ("/other/meta-data/mac", None),
            ("", None),
        ] {
            assert_eq!(read(&tree, path).as_deref(), expected, "{path}");
        }
    }
}
