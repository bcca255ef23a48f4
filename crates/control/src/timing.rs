//! The one table of waits that AWS imposes and no caller can set (design: "Time").
//!
//! What a request, a definition or the configuration states, and what guards safety, is not here.

use ecs::service::waits::Waits;
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
    /// The waits of services.
    pub services: Waits,
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
        services: Waits::AWS,
        manifest_every: Duration::from_secs(300),
    };

    /// The waits of a laptop or a CI job. Stopped tasks stay visible as long: scripts look at them
    /// after the fact, and nobody waits for their end.
    pub const FAST: Self = Self {
        slow_tick: Duration::from_secs(10),
        services: Waits {
            healthy_after: Duration::from_secs(2),
            retry_first: Duration::from_millis(500),
            retry_max: Duration::from_secs(15),
            place_again: Duration::from_secs(2),
            even_out_max: Duration::from_secs(30),
            tell_again: Duration::from_secs(60),
        },
        manifest_every: Duration::from_secs(30),
        ..Self::AWS
    };

    /// The table as `longshore doctor` prints it.
    #[must_use]
    pub fn rows(&self) -> [(&'static str, Duration); 10] {
        [
            ("stopped task visible", self.stopped_task_visible),
            (
                "inactive cluster or instance visible",
                self.inactive_visible,
            ),
            ("slow tick of controllers", self.slow_tick),
            (
                "task without a health check healthy after",
                self.services.healthy_after,
            ),
            (
                "failing task started again after",
                self.services.retry_first,
            ),
            ("the longest such wait", self.services.retry_max),
            (
                "task without room placed again after",
                self.services.place_again,
            ),
            (
                "zones that stay uneven looked at again after at most",
                self.services.even_out_max,
            ),
            ("standing state told again after", self.services.tell_again),
            ("whole manifest to a connected host", self.manifest_every),
        ]
    }
}
