//! How many file descriptors the agent may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tracing::warn;

/// Raises the limit of this process as far as it may be: each connection through a proxy of Service Connect takes
/// two, and the soft limit is mostly 1024. Containers are given limits of their own in any case.
pub fn raise_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        warn!(%error, "cannot raise the limit of file descriptors");
    }
}

/// How many this process may have.
#[must_use]
pub fn limit() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let limit = getrlimit(Resource::Nofile);
        let low = Rlimit {
            current: Some(512),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, low).unwrap();
        raise_limit();
        let raised = getrlimit(Resource::Nofile);
        assert_eq!(
            (raised.current, raised.maximum),
            (limit.maximum, limit.maximum)
        );
    }
}
