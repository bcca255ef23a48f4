//! Fires rules by their schedules.

use super::{Controller, Controllers};
use crate::clock;
use aws_types::{AwsError, Timestamp};
use events::records::SCHEDULES;
use events::timetable;

pub struct Schedules(pub Controllers);

#[async_trait::async_trait]
impl Controller for Schedules {
    fn name(&self) -> &'static str {
        "schedules"
    }

    fn wakes_on(&self) -> &'static [&'static str] {
        const TABLES: &[&str] = &[SCHEDULES.name()];
        TABLES
    }

    async fn activate(&self) -> Result<Option<Timestamp>, AwsError> {
        let (due, next) = timetable::due(&self.0.state.snapshot(), clock::now());
        for key in due {
            let own = Controllers {
                scope: key.scope.clone(),
                ..self.0.clone()
            };
            let fired = own.step("schedules", move |txn, ctx| {
                Ok(timetable::fire(txn, ctx, &key))
            });
            fired.await?;
        }
        // Firing one changed its row, which wakes this loop again.
        Ok(next)
    }
}
