//! What a path asks for.
//!
//! Pure. Rule: agent-protocol 6; the public agent cleans a path and sends the asker there.

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// `/v3/ID…` and `/v4/ID…`: of the container that the id names.
    Metadata {
        /// 3 or 4.
        version: u8,
        /// The unguessable part.
        id: &'a str,
        /// What of it.
        what: What<'a>,
    },
    /// `/v2/…`: of the task that has the sender's address.
    ByAddress(ByAddress<'a>),
    /// `/v2/credentials/ID`, and `/v1/credentials?id=ID`.
    Credentials {
        /// 1 or 2.
        version: u8,
        /// The unguessable part, where the path has it.
        id: Option<&'a str>,
    },
    /// `/api/ID/task-protection/v1/state`.
    Protection {
        /// The unguessable part.
        id: &'a str,
    },
}

/// What of a container or its task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// The container.
    Container,
    /// Its task.
    Task {
        /// With the tags of task and container instance.
        with_tags: bool,
    },
    /// What the container uses.
    Stats,
    /// What every container of the task uses.
    TaskStats,
    /// Names of what is associated with the container.
    Associations {
        /// `gpu`, for example.
        kind: &'a str,
    },
    /// What one of them holds.
    Association {
        /// `gpu`, for example.
        kind: &'a str,
        /// Its name.
        name: &'a str,
    },
}

/// What of a task that is known by its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByAddress<'a> {
    /// The task.
    Task {
        /// With the tags of task and container instance.
        with_tags: bool,
    },
    /// A container by its Docker id.
    Container(&'a str),
    /// What every container uses.
    TaskStats,
    /// What one uses.
    Stats(&'a str),
}

/// Reads a path; `None` for one that leads nowhere.
#[must_use]
pub fn asked(path: &str) -> Option<Asked<'_>> {
    let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    match parts.as_slice() {
        ["v1", "credentials"] | ["v1", "credentials", ""] => Some(Asked::Credentials {
            version: 1,
            id: None,
        }),
        ["v2", "credentials"] => Some(Asked::Credentials {
            version: 2,
            id: None,
        }),
        ["v2", "credentials", id] => Some(Asked::Credentials {
            version: 2,
            id: Some(id),
        }),
        ["v2", rest @ ..] => by_address(rest).map(Asked::ByAddress),
        ["v3", id, rest @ ..] => of_container(3, id, rest),
        ["v4", id, rest @ ..] => of_container(4, id, rest),
        ["api", id, "task-protection", "v1", "state"] => Some(Asked::Protection { id }),
        _ => None,
    }
}

fn of_container<'a>(version: u8, id: &'a str, rest: &[&'a str]) -> Option<Asked<'a>> {
    let what = match rest {
        [] | [""] => What::Container,
        ["task"] => What::Task { with_tags: false },
        ["taskWithTags"] => What::Task { with_tags: true },
        ["stats"] => What::Stats,
        ["task", "stats"] => What::TaskStats,
        ["associations", kind] => What::Associations { kind },
        ["associations", kind, name] => What::Association { kind, name },
        _ => return None,
    };
    Some(Asked::Metadata { version, id, what })
}

fn by_address<'a>(rest: &[&'a str]) -> Option<ByAddress<'a>> {
    match rest {
        ["metadata"] | ["metadata", ""] => Some(ByAddress::Task { with_tags: false }),
        ["metadataWithTags"] | ["metadataWithTags", ""] => {
            Some(ByAddress::Task { with_tags: true })
        }
        ["metadata", id] => Some(ByAddress::Container(id)),
        ["stats"] | ["stats", ""] => Some(ByAddress::TaskStats),
        ["stats", id] => Some(ByAddress::Stats(id)),
        _ => None,
    }
}

/// The path without empty parts and parts of dots, where it has any: the asker is sent there.
#[must_use]
pub fn cleaned(path: &str) -> Option<String> {
    let mut kept: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    let mut clean = format!("/{}", kept.join("/"));
    if path.ends_with('/') && clean.len() > 1 {
        clean.push('/');
    }
    (clean != path).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_path_asks_for_one_thing() {
        let container = |version, what| {
            Some(Asked::Metadata {
                version,
                id: "x",
                what,
            })
        };
        for (path, expected) in [
            ("/v4/x", container(4, What::Container)),
            ("/v4/x/", container(4, What::Container)),
            ("/v3/x/task", container(3, What::Task { with_tags: false })),
            (
                "/v4/x/taskWithTags",
                container(4, What::Task { with_tags: true }),
            ),
            ("/v4/x/stats", container(4, What::Stats)),
            ("/v4/x/task/stats", container(4, What::TaskStats)),
            (
                "/v3/x/associations/gpu",
                container(3, What::Associations { kind: "gpu" }),
            ),
            (
                "/v4/x/associations/gpu/0",
                container(
                    4,
                    What::Association {
                        kind: "gpu",
                        name: "0",
                    },
                ),
            ),
            (
                "/v2/metadata",
                Some(Asked::ByAddress(ByAddress::Task { with_tags: false })),
            ),
            (
                "/v2/stats/0a",
                Some(Asked::ByAddress(ByAddress::Stats("0a"))),
            ),
            (
                "/api/x/task-protection/v1/state",
                Some(Asked::Protection { id: "x" }),
            ),
            (
                "/v2/credentials/x",
                Some(Asked::Credentials {
                    version: 2,
                    id: Some("x"),
                }),
            ),
            (
                "/v1/credentials",
                Some(Asked::Credentials {
                    version: 1,
                    id: None,
                }),
            ),
            ("/v2/credentials/x/y", None),
            ("/", None),
            ("/v4", None),
            ("/v4/x/secrets", None),
            ("/v5/x", None),
            ("", None),
        ] {
            assert_eq!(asked(path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn a_cleaned_path_is_clean(path in "(/|\\.|a|b){0,20}") {
            let clean = cleaned(&path).unwrap_or(path);
            prop_assert_eq!(cleaned(&clean), None);
            prop_assert!(!clean.contains("//") && !clean.contains("/../"));
        }
    }
}
