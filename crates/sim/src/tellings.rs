//! What services tell: a trouble that stands is told once, so that no text comes again and again within a minute.
//!
//! Such an event is also a change of its service, which wakes the scheduler: a loop without end.

use crate::plan::Mutation;
use crate::simulation::Simulation;
use ecs::records::service::ServiceKey;
use ecs::records::service_event::SERVICE_EVENTS;
use std::collections::BTreeMap;
use store::{Change, Key};

/// Milliseconds in which the same text is counted.
const WHILE: u64 = 60_000;
/// So often a text may come in that time: deployments that follow one another may end alike.
const MOST: u32 = 10;

/// How often each service told what since a moment.
#[derive(Debug, Default)]
pub struct Tellings {
    since: u64,
    told: BTreeMap<(ServiceKey, String), u32>,
}

impl Simulation {
    /// After a commit.
    pub fn check_tellings(&mut self, changes: &[Change]) {
        // A step with another planted bug may tell what is not so, each time.
        let planted = self.plan.mutation;
        if planted.is_some_and(|mutation| mutation != Mutation::ForgottenTellings) {
            return;
        }
        if self.now >= self.tellings.since + WHILE {
            self.tellings.since = self.now;
            self.tellings.told.clear();
        }
        let table = SERVICE_EVENTS.name();
        for change in changes.iter().filter(|change| change.table == table) {
            let found = self.telling(&change.key);
            // One that is too old was taken away.
            let Some((service, text)) = found else {
                continue;
            };
            let told = (service.clone(), text.clone());
            let count = self.tellings.told.entry(told).or_default();
            *count += 1;
            if *count > MOST {
                return self.violate(9, format!("{} tells again and again: {text}", service.name));
            }
        }
    }

    fn telling(&self, key: &Key) -> Option<(ServiceKey, String)> {
        let mut rows = self
            .server
            .published
            .scan_prefix(&SERVICE_EVENTS, key, None);
        let (_, event) = rows.next()?;
        Some((event.key.service.clone(), event.text.clone()))
    }
}
