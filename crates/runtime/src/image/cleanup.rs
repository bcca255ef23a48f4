//! Which images go by themselves: the ECS agent's rule.
//!
//! Only what was pulled is removed, only while nothing uses it, only when its pull is old enough, the
//! least recently used first, so many a cycle.
//! Rule: ECS_IMAGE_MINIMUM_CLEANUP_AGE, ECS_NUM_IMAGES_DELETE_PER_CYCLE.

use std::time::Duration;

use super::digest::Digest;

/// How eagerly images are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CleanupPolicy {
    /// Between an image's pull and its removal, at least.
    pub minimum_age: Duration,
    /// Images removed at once, at most.
    pub images_max: usize,
}

impl Default for CleanupPolicy {
    fn default() -> CleanupPolicy {
        CleanupPolicy {
            minimum_age: Duration::from_secs(3600),
            images_max: 5,
        }
    }
}

/// What is known of one image. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub id: Digest,
    /// All its names came from a registry.
    pub is_pulled: bool,
    /// A container uses it.
    pub is_used: bool,
    pub pulled_at_ms: u64,
    pub last_used_ms: u64,
}

/// The images to remove now, in order.
pub(super) fn to_remove(images: &[Standing], policy: CleanupPolicy, now_ms: u64) -> Vec<Digest> {
    let minimum_age = u64::try_from(policy.minimum_age.as_millis()).unwrap_or(u64::MAX);
    let mut unused: Vec<&Standing> = images
        .iter()
        .filter(|image| image.is_pulled && !image.is_used)
        .filter(|image| now_ms.saturating_sub(image.pulled_at_ms) >= minimum_age)
        .collect();
    unused.sort_by_key(|image| (image.last_used_ms, &image.id));
    let least_recent = unused.into_iter().take(policy.images_max);
    least_recent.map(|image| image.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_MS: u64 = 3_600_000;
    const NOW: u64 = 10 * HOUR_MS;

    fn image(name: &str) -> Standing {
        Standing {
            id: Digest::of(name.as_bytes()),
            is_pulled: true,
            is_used: false,
            pulled_at_ms: NOW - HOUR_MS,
            last_used_ms: NOW - HOUR_MS,
        }
    }

    fn removed(images: &[Standing], images_max: usize, now_ms: u64) -> Vec<Digest> {
        let policy = CleanupPolicy {
            images_max,
            ..CleanupPolicy::default()
        };
        to_remove(images, policy, now_ms)
    }

    #[test]
    fn only_what_was_pulled_is_old_and_unused_goes() {
        let a = image("a");
        let cases = [
            (a.clone(), true),
            (
                Standing {
                    is_used: true,
                    ..a.clone()
                },
                false,
            ),
            (
                Standing {
                    is_pulled: false,
                    ..a.clone()
                },
                false,
            ),
            (
                Standing {
                    pulled_at_ms: NOW - HOUR_MS + 1,
                    ..a.clone()
                },
                false,
            ),
            // A clock that was set back makes nothing old.
            (
                Standing {
                    pulled_at_ms: NOW + HOUR_MS,
                    ..a.clone()
                },
                false,
            ),
            // Its last use does not matter for its age, as with the agent.
            (
                Standing {
                    last_used_ms: NOW,
                    ..a.clone()
                },
                true,
            ),
        ];
        for (image, goes) in cases {
            let expected = if goes { vec![a.id.clone()] } else { vec![] };
            assert_eq!(
                removed(std::slice::from_ref(&image), 5, NOW),
                expected,
                "{image:?}"
            );
        }
    }

    #[test]
    fn the_least_recently_used_go_first_and_only_so_many() {
        let images: Vec<_> = (0..7)
            .map(|n| Standing {
                last_used_ms: (n * 5) % 7,
                ..image(&n.to_string())
            })
            .collect();
        let order = |numbers: &[usize]| -> Vec<_> {
            numbers.iter().map(|&n| images[n].id.clone()).collect()
        };
        assert_eq!(removed(&images, 5, NOW), order(&[0, 3, 6, 2, 5]));
        assert_eq!(removed(&images, 1, NOW), order(&[0]));
        assert_eq!(removed(&images, 0, NOW), order(&[]));
        assert_eq!(removed(&[], 5, NOW), order(&[]));
    }
}
