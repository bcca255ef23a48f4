//! The one table of waits that AWS imposes and no caller can set (design: "Time").
//!
//! What a request, a definition or the configuration states, and what guards safety, is not here.

use std::time::Duration;

/// The waits in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long a stopped task stays describable. AWS: at least one hour.
    pub stopped_task_visible: Duration,
    /// How long an INACTIVE cluster or instance stays describable. AWS: "a while"; an hour here.
    pub inactive_visible: Duration,
    /// How often loops look at everything again, whatever woke them in between.
    pub slow_tick: Duration,
    /// How often a connected host is told all that it should run, whatever it was told before. AWS
    /// names no time; one frame of a host's tasks in five minutes costs nothing that shows.
    pub manifest_every: Duration,
}

impl Timing {
    /// AWS's own waits.
    pub const AWS: Self = Self {
        stopped_task_visible: Duration::from_secs(3600),
        inactive_visible: Duration::from_secs(3600),
        slow_tick: Duration::from_secs(60),
        manifest_every: Duration::from_secs(300),
    };

    /// The waits of a laptop or a CI job. Stopped tasks stay visible as long: scripts look at them
    /// after the fact, and nobody waits for their end.
    pub const FAST: Self = Self {
        slow_tick: Duration::from_secs(10),
        manifest_every: Duration::from_secs(30),
        ..Self::AWS
    };

    /// The table as `longshore doctor` prints it.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, Duration); 4] {
        [
            ("stopped task visible", self.stopped_task_visible),
            (
                "inactive cluster or instance visible",
                self.inactive_visible,
            ),
            ("slow tick of controllers", self.slow_tick),
            ("whole manifest to a connected host", self.manifest_every),
        ]
    }
}
