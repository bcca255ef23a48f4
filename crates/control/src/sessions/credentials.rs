//! What an ACS session tells of the credentials of roles, beside its payloads: all of them when it
//! opens (a restarted agent has lost them, and what was made anew while it was away nobody knows), then
//! each time some are made anew.
//!
//! They are on their way or the session is at its end, which begins this again: an acknowledgement
//! that does not come is told in the log, nothing else follows from it.

use super::acs::{Acs, End};
use crate::clock;
use aws_api::agent::{AcsMessage, IamRoleCredentialsAckRequest};
use aws_types::Timestamp;
use ecs::task::credentials;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tracing::{debug, warn};

/// An agent that has not acknowledged by then has refused.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was told of credentials.
#[derive(Debug, Default)]
pub struct Told {
    /// Everything made until then; `None` before the first time.
    until: Option<Timestamp>,
    /// By message id: of which task, and when.
    waiting: BTreeMap<String, (String, Timestamp)>,
}

impl Told {
    /// Gives up those that were not acknowledged in time.
    fn overdue(&mut self, now: Timestamp) -> Vec<String> {
        let late = |(_, at): &(String, Timestamp)| now.since(*at) > PATIENCE;
        let overdue = self.waiting.values().filter(|one| late(one));
        let tasks = overdue.map(|(task, _)| task.clone()).collect();
        self.waiting.retain(|_, one| !late(one));
        tasks
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Acs<'_, S> {
    /// Sends what has to be told by now.
    pub(super) async fn send_credentials(&mut self) -> Result<(), End> {
        let now = clock::now();
        for task in self.told.overdue(now) {
            warn!(host = %self.host.instance_arn, task, "credentials were not acknowledged");
        }
        let world = self.sessions.state.snapshot();
        let key = &self.sessions.session_key;
        let times = (self.told.until, now);
        let messages = credentials::renewed(&world, &self.host.instance, key, times);
        drop(world);
        let mut ids = clock::ids();
        for mut message in messages {
            let id = ids.uuid();
            let task = message.task_arn.clone().unwrap_or_default();
            self.told.waiting.insert(id.clone(), (task, now));
            message.message_id = Some(id);
            self.send(AcsMessage::Credentials(message)).await?;
        }
        self.told.until = Some(now);
        Ok(())
    }

    /// Credentials are in place. Those of a payload are acknowledged by the payload's id.
    pub(super) fn credentials_acknowledged(&mut self, ack: &IamRoleCredentialsAckRequest) {
        let id = ack.message_id.as_deref().unwrap_or_default();
        let told = self.told.waiting.remove(id);
        debug!(host = %self.host.instance_arn, task = ?told.map(|(task, _)| task), "credentials in place");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_acknowledge_in_time_is_told_of_once() {
        let mut told = Told::default();
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1000);
        let wait = |told: &mut Told, id: &str, seconds| {
            let waiting = (format!("task of {id}"), at(seconds));
            told.waiting.insert(id.into(), waiting);
        };
        wait(&mut told, "a", 0);
        wait(&mut told, "b", 20);
        assert_eq!(told.overdue(at(30)), Vec::<String>::new());
        assert_eq!(told.overdue(at(31)), ["task of a"]);
        assert_eq!(told.overdue(at(32)), Vec::<String>::new());
        told.waiting.remove("b");
        assert_eq!(told.overdue(at(90)), Vec::<String>::new());
    }
}
