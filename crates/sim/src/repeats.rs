//! Nothing is done again and again: no service tells the same many times within a minute, and no record is written
//! thousands of times.
//!
//! What a loop writes is often what wakes it: it never ends, and to the other checks all is as it should be.

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

/// So often a record may be written in that time; loops wait for a commit, some milliseconds.
const MOST_WRITTEN: u32 = 2000;

/// How often each service told what, and each record was written, since a moment.
#[derive(Debug, Default)]
pub struct Repeats {
    since: u64,
    told: BTreeMap<(ServiceKey, String), u32>,
    written: BTreeMap<(&'static str, Key), u32>,
}

impl Simulation {
    /// After a commit.
    pub fn check_repeats(&mut self, changes: &[Change]) {
        // A step with another planted bug may tell what is not so, each time.
        let planted = self.plan.mutation;
        if planted.is_some_and(|mutation| mutation != Mutation::ForgottenTellings) {
            return;
        }
        if self.now >= self.repeats.since + WHILE {
            self.repeats.since = self.now;
            self.repeats.told.clear();
            self.repeats.written.clear();
        }
        for change in changes {
            let row = (change.table, change.key.clone());
            let count = self.repeats.written.entry(row).or_default();
            *count += 1;
            if *count > MOST_WRITTEN {
                let (table, key) = (change.table, &change.key);
                return self.violate(9, format!("{key:?} of {table} is written again and again"));
            }
        }
        let table = SERVICE_EVENTS.name();
        for change in changes.iter().filter(|change| change.table == table) {
            let found = self.telling(&change.key);
            // One that is too old was taken away.
            let Some((service, text)) = found else {
                continue;
            };
            let told = (service.clone(), text.clone());
            let count = self.repeats.told.entry(told).or_default();
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
