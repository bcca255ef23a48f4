//! A container's health, as Docker keeps it.
//!
//! Rule: Docker's `HEALTHCHECK`: a check that passes makes the container healthy at once; `retries`
//! failures in a row make it unhealthy; until it was healthy for the first time, failures within the
//! start period do not count. ECS shows Docker's `starting` as UNKNOWN.

use super::docker::Healthcheck;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Docker's defaults.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;
/// What Docker keeps of a check's output, in bytes.
pub const OUTPUT_BYTES_MAX: usize = 4096;

/// How a container's health is checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheck {
    /// Program and arguments.
    pub args: Vec<String>,
    /// Milliseconds between the start, or the end of a check, and the next.
    pub interval_ms: u64,
    /// Milliseconds that one check may take.
    pub timeout_ms: u64,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// Milliseconds from the start in which failures do not count.
    pub start_period_ms: u64,
}

/// A container's health as ECS names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthStatus {
    /// Not known yet, or not checked.
    #[default]
    Unknown,
    /// The last check passed, or not enough have failed since.
    Healthy,
    /// The last checks failed.
    Unhealthy,
}

impl HealthStatus {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            HealthStatus::Unknown => "UNKNOWN",
            HealthStatus::Healthy => "HEALTHY",
            HealthStatus::Unhealthy => "UNHEALTHY",
        }
    }
}

/// How one check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// With exit code 0.
    Passed(String),
    /// With another one, not in time, or not at all because its program cannot be run.
    Failed {
        /// Of its program; -1 where it has none, as Docker says.
        exit_code: i32,
        /// What it wrote, or why it failed.
        output: String,
    },
    /// It cannot be known: whoever runs checks in the container is gone.
    Impossible,
}

impl Probe {
    /// One that failed.
    pub fn failed(exit_code: i32, output: impl Into<String>) -> Self {
        let output = output.into();
        Self::Failed { exit_code, output }
    }
}

/// A container's check, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// How it is checked.
    pub check: HealthCheck,
    /// How it stands.
    pub status: HealthStatus,
    /// Since when; the task's arrival before its first start.
    pub since: Timestamp,
    /// Failures in a row that count.
    pub failures: u32,
    /// What the check that made the status wrote.
    pub output: String,
    /// Its exit code.
    #[serde(default)]
    pub exit_code: i32,
}

impl HealthCheck {
    /// From Docker's words; `None` where nothing is to be checked.
    #[must_use]
    pub fn new(docker: &Healthcheck) -> Option<Self> {
        let (form, rest) = docker.test.split_first()?;
        let shell = ["/bin/sh".to_owned(), "-c".to_owned()];
        let args = match form.as_str() {
            "CMD" => rest.to_vec(),
            "CMD-SHELL" => shell.iter().chain(rest).cloned().collect(),
            _ => return None,
        };
        let ms = |nanoseconds: u64, default: Duration| match nanoseconds / 1_000_000 {
            0 => default.as_millis() as u64,
            ms => ms,
        };
        (!rest.is_empty()).then(|| Self {
            args,
            interval_ms: ms(docker.interval, INTERVAL),
            timeout_ms: ms(docker.timeout, TIMEOUT),
            retries: if docker.retries == 0 {
                RETRIES
            } else {
                docker.retries
            },
            start_period_ms: docker.start_period / 1_000_000,
        })
    }
}

impl Health {
    /// Of a container that has not started.
    #[must_use]
    pub fn new(check: HealthCheck, since: Timestamp) -> Self {
        Self {
            check,
            status: HealthStatus::Unknown,
            since,
            failures: 0,
            output: String::new(),
            exit_code: 0,
        }
    }

    /// The container starts, again perhaps: nothing is known of this run.
    pub(super) fn start(&mut self, at: Timestamp) {
        *self = Self::new(self.check.clone(), at);
    }

    /// A check that began at `began` ended at `now`; the container runs since `started`.
    pub(super) fn note(
        &mut self,
        probe: Probe,
        started: Timestamp,
        began: Timestamp,
        now: Timestamp,
    ) {
        let (status, output, code) = match probe {
            Probe::Impossible => {
                self.failures = 0;
                (HealthStatus::Unknown, String::new(), 0)
            }
            Probe::Passed(output) => {
                self.failures = 0;
                (HealthStatus::Healthy, output, 0)
            }
            Probe::Failed { exit_code, output } => {
                let lasted_ms = began.since(started).as_millis();
                let is_starting = self.status == HealthStatus::Unknown
                    && lasted_ms < u128::from(self.check.start_period_ms);
                if !is_starting {
                    self.failures = self.failures.saturating_add(1).min(self.check.retries);
                }
                if self.failures < self.check.retries {
                    return;
                }
                (HealthStatus::Unhealthy, output, exit_code)
            }
        };
        if status != self.status {
            self.status = status;
            self.since = now;
            self.exit_code = code;
            self.output = output.chars().take(OUTPUT_BYTES_MAX).collect();
        }
    }

    /// When the next check after `moment` is due.
    pub(super) fn due(&self, moment: Timestamp) -> Timestamp {
        moment.plus(Duration::from_millis(self.check.interval_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docker(test: &[&str]) -> Healthcheck {
        Healthcheck {
            test: test.iter().map(|&word| word.to_owned()).collect(),
            start_period: 10_000_000_000,
            ..Healthcheck::default()
        }
    }

    #[test]
    fn dockers_forms_of_a_check() {
        let args = |test: &[&str]| HealthCheck::new(&docker(test)).map(|check| check.args);
        for (test, expected) in [
            (&["CMD", "true", "x"][..], Some(&["true", "x"][..])),
            (&["CMD-SHELL", "a b"], Some(&["/bin/sh", "-c", "a b"])),
            (&["NONE"], None),
            (&["CMD"], None),
            (&[], None),
        ] {
            let expected = expected.map(|all| all.iter().map(|&word| word.to_owned()).collect());
            assert_eq!(args(test), expected, "{test:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_dockers_default() {
        let check = HealthCheck::new(&docker(&["CMD", "x"])).unwrap();
        let all = (check.interval_ms, check.timeout_ms, check.retries);
        assert_eq!(all, (30_000, 30_000, 3));
    }

    /// Checks by (second in which it began, passed?), started at 0 with a start period of 10 s, and
    /// the status after each.
    fn statuses(checks: &[(i64, bool)]) -> Vec<HealthStatus> {
        let second = |n: i64| Timestamp::from_millis(n * 1000);
        let check = HealthCheck::new(&docker(&["CMD", "x"])).unwrap();
        let mut health = Health::new(check, second(0));
        let status = |&(at, passed): &(i64, bool)| {
            let probe = match passed {
                true => Probe::Passed(String::new()),
                false => Probe::failed(3, "no"),
            };
            health.note(probe, second(0), second(at), second(at + 1));
            let is_ill = health.status == HealthStatus::Unhealthy;
            assert_eq!(health.exit_code, if is_ill { 3 } else { 0 });
            health.status
        };
        checks.iter().map(status).collect()
    }

    #[test]
    fn three_failures_in_a_row_make_it_unhealthy_and_one_pass_healthy() {
        use HealthStatus::{Healthy, Unhealthy, Unknown};
        let seen = statuses(&[(20, false), (21, false), (22, false), (23, true)]);
        assert_eq!(seen, [Unknown, Unknown, Unhealthy, Healthy]);
        let seen = statuses(&[
            (20, false),
            (21, false),
            (22, true),
            (23, false),
            (24, false),
        ]);
        assert_eq!(seen, [Unknown, Unknown, Healthy, Healthy, Healthy]);
    }

    #[test]
    fn failures_of_the_start_period_do_not_count_until_a_check_passed() {
        use HealthStatus::{Healthy, Unhealthy, Unknown};
        let early: Vec<_> = (1..9).map(|at| (at, false)).collect();
        assert_eq!(statuses(&early), [Unknown; 8]);
        let seen = statuses(&[(1, true), (2, false), (3, false), (4, false)]);
        assert_eq!(seen, [Healthy, Healthy, Healthy, Unhealthy]);
        let seen = statuses(&[(9, false), (10, false), (11, false), (12, false)]);
        assert_eq!(seen, [Unknown, Unknown, Unknown, Unhealthy]);
    }

    #[test]
    fn the_status_keeps_its_moment_and_the_output_that_made_it() {
        let check = HealthCheck::new(&docker(&["CMD", "x"])).unwrap();
        let mut health = Health::new(check, Timestamp::EPOCH);
        for (second, output) in [(20, "first"), (21, "second")] {
            let at = Timestamp::from_millis(second * 1000);
            health.note(Probe::Passed(output.into()), Timestamp::EPOCH, at, at);
        }
        assert_eq!(health.output, "first");
        assert_eq!(health.since, Timestamp::from_millis(20_000));
    }
}
