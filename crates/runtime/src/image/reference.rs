//! Image references as Docker reads them: `[host[:port]/]path[:tag][@digest]`.
//!
//! A [`Reference`] is normal: host and tag are filled in (`docker.io`, `library/`, `latest`), so two
//! spellings of one image are equal. Rule: the distribution project's reference grammar.

use super::digest::Digest;

/// The registry that names without a host belong to.
const DEFAULT_HOST: &str = "docker.io";
/// Grammar: host and path together.
const NAME_LEN_MAX: usize = 255;
/// Grammar: `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`.
const TAG_LEN_MAX: usize = 128;

/// A parsed, normal reference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    host: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// Reads a reference; `None` where Docker says "invalid reference format".
    pub fn parse(text: &str) -> Option<Reference> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(Digest::parse(digest)?)),
            None => (text, None),
        };
        let (host, rest) = match rest.split_once('/') {
            Some((first, after)) if is_host(first) => (first, after),
            _ => (DEFAULT_HOST, rest),
        };
        let (path, tag) = match rest.split_once(':') {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        let host = if host == "index.docker.io" {
            DEFAULT_HOST
        } else {
            host
        };
        let is_bare_id = host == DEFAULT_HOST && path.len() == 64 && path.bytes().all(is_hex);
        if is_bare_id || !host_is_valid(host) || !path.split('/').all(component_is_valid) {
            return None;
        }
        if host.len() + path.len() + 1 > NAME_LEN_MAX || !tag.is_none_or(tag_is_valid) {
            return None;
        }
        let official = host == DEFAULT_HOST && !path.contains('/');
        Some(Reference {
            host: host.to_owned(),
            path: if official {
                format!("library/{path}")
            } else {
                path.to_owned()
            },
            tag: match (tag, &digest) {
                (None, None) => Some("latest".to_owned()),
                (tag, _) => tag.map(str::to_owned),
            },
            digest,
        })
    }

    /// The registry's name, with the port where one was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository's path within its registry.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The tag, absent only beside a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest that the reference pins, if it does.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What the registry is asked for: the digest if there is one, else the tag.
    pub fn selector(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.clone().unwrap_or_else(|| "latest".to_owned()),
        }
    }

    /// The repository as Docker shows it: without `docker.io/library/`.
    pub fn familiar_name(&self) -> String {
        if self.host != DEFAULT_HOST {
            return format!("{}/{}", self.host, self.path);
        }
        self.path
            .strip_prefix("library/")
            .unwrap_or(&self.path)
            .to_owned()
    }

    /// The whole reference as Docker shows it.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.suffix())
    }

    /// The one spelling that is a key: everything filled in.
    pub fn canonical(&self) -> String {
        format!("{}/{}{}", self.host, self.path, self.suffix())
    }

    fn suffix(&self) -> String {
        let tag = self
            .tag
            .as_ref()
            .map(|tag| format!(":{tag}"))
            .unwrap_or_default();
        let digest = self
            .digest
            .as_ref()
            .map(|digest| format!("@{digest}"))
            .unwrap_or_default();
        tag + &digest
    }
}

/// A canonical name as Docker shows it; an id stays as it is.
pub(super) fn shown(canonical: &str) -> String {
    if Digest::parse(canonical).is_some() {
        return canonical.to_owned();
    }
    Reference::parse(canonical).map_or_else(|| canonical.to_owned(), |name| name.familiar())
}

fn is_host(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn host_is_valid(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, after)) => {
                if address.parse::<std::net::Ipv6Addr>().is_err() {
                    return false;
                }
                (
                    "v6",
                    after
                        .strip_prefix(':')
                        .or((!after.is_empty()).then_some("bad")),
                )
            }
            None => return false,
        },
        None => match host.split_once(':') {
            Some((name, port)) => (name, Some(port)),
            None => (host, None),
        },
    };
    let label_is_valid = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(label_is_valid) && port.is_none_or(|port| port.parse::<u16>().is_ok())
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn component_is_valid(component: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_in_words =
        bytes.first().is_some_and(|&b| word(b)) && bytes.last().is_some_and(|&b| word(b));
    ends_in_words
        && component
            .split(|c: char| word(c as u8) && c.is_ascii())
            .all(|separator| {
                matches!(separator, "" | "." | "_" | "__")
                    || separator.bytes().all(|byte| byte == b'-')
            })
}

fn tag_is_valid(tag: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    tag.len() <= TAG_LEN_MAX
        && tag.bytes().next().is_some_and(word)
        && tag
            .bytes()
            .all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_filled_in_as_docker_does() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for (given, canonical, familiar) in [
            ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            (
                "longshore/hello",
                "docker.io/longshore/hello:latest",
                "longshore/hello:latest",
            ),
            ("docker.io/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
            ("index.docker.io/a/b", "docker.io/a/b:latest", "a/b:latest"),
            ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
            (
                "127.0.0.1:5000/a/b/c:t",
                "127.0.0.1:5000/a/b/c:t",
                "127.0.0.1:5000/a/b/c:t",
            ),
            ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
            (
                "public.ecr.aws/docker/library/x_y__z-w--v.u",
                "public.ecr.aws/docker/library/x_y__z-w--v.u:latest",
                "public.ecr.aws/docker/library/x_y__z-w--v.u:latest",
            ),
            (
                &format!("a@{digest}"),
                &format!("docker.io/library/a@{digest}"),
                &format!("a@{digest}"),
            ),
            (
                &format!("a:b@{digest}"),
                &format!("docker.io/library/a:b@{digest}"),
                &format!("a:b@{digest}"),
            ),
        ] {
            let reference = Reference::parse(given).expect(given);
            assert_eq!(reference.canonical(), canonical);
            assert_eq!(reference.familiar(), familiar);
            assert_eq!(Reference::parse(canonical).as_ref(), Some(&reference));
        }
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        let id = "a".repeat(64);
        for given in [
            "",
            "A",
            "a/",
            "/a",
            "a//b",
            "a:",
            "a:-x",
            "a@sha256:0",
            "a b",
            "a..b",
            "a___b",
            "-a",
            "a-",
            "../a",
            "h.com:x/a",
            "h.com:99999/a",
            "é",
            "a:b:c",
            &id,
            "a?b/c",
            "[::1/a",
            "[zz]:5/a",
            "h_h.com/a",
        ] {
            assert_eq!(Reference::parse(given), None, "{given}");
        }
        assert_eq!(Reference::parse(&"a".repeat(256)), None);
        assert_eq!(Reference::parse(&format!("a:{}", "t".repeat(129))), None);
    }

    proptest::proptest! {
        #[test]
        fn a_reference_read_is_a_fixed_point(text in "[a-z0-9A-Z.:/_@\\[\\]-]{0,40}") {
            if let Some(reference) = Reference::parse(&text) {
                proptest::prop_assert_eq!(Reference::parse(&reference.canonical()), Some(reference.clone()));
                proptest::prop_assert_eq!(Reference::parse(&reference.familiar()), Some(reference));
            }
        }
    }
}
