//! Credentials of the roles of this host's tasks. In memory alone: what is written down of a payload has
//! none in it, and an agent that starts anew is told again.

use aws_api::agent::IamRoleCredentials;
use aws_wire::sigv4::Credentials as SigningCredentials;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a payload's task calls them, and the control plane's word for the role.
const MEMBERS: [(&str, Role); 2] = [
    ("roleCredentials", Role::Application),
    ("executionRoleCredentials", Role::Execution),
];

/// Which of a task's roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its containers': served to them.
    Application,
    /// The agent's own on the task's behalf: never served.
    Execution,
}

impl Role {
    /// As IAMRoleCredentialsMessage names it.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "TaskApplication" => Some(Self::Application),
            "TaskExecution" => Some(Self::Execution),
            _ => None,
        }
    }
}

/// All of them, by their task's ARN.
#[derive(Debug, Default)]
pub struct Credentials {
    /// `std` mutex: held for map operations only.
    tasks: Mutex<HashMap<String, OfTask>>,
}

#[derive(Default)]
struct OfTask {
    application: Option<IamRoleCredentials>,
    execution: Option<IamRoleCredentials>,
}

impl std::fmt::Debug for OfTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Secrets and tokens stay out of logs.
        let expiration = |one: &Option<IamRoleCredentials>| one.clone()?.expiration;
        f.debug_struct("OfTask")
            .field("application", &expiration(&self.application))
            .field("execution", &expiration(&self.execution))
            .finish()
    }
}

impl Credentials {
    /// Credentials of a task, in place of earlier ones.
    pub fn put(&self, task_arn: &str, role: Role, credentials: IamRoleCredentials) {
        let mut tasks = self.lock();
        let of = tasks.entry(task_arn.to_owned()).or_default();
        match role {
            Role::Application => of.application = Some(credentials),
            Role::Execution => of.execution = Some(credentials),
        }
    }

    /// What a task's containers may have, once it is there.
    pub fn application(&self, task_arn: &str) -> Option<IamRoleCredentials> {
        self.lock().get(task_arn)?.application.clone()
    }

    /// To sign as the task's role.
    pub fn signing(&self, task_arn: &str) -> Option<SigningCredentials> {
        signing(self.application(task_arn)?)
    }

    /// To sign as the task's execution role.
    pub fn execution(&self, task_arn: &str) -> Option<SigningCredentials> {
        signing(self.lock().get(task_arn)?.execution.clone()?)
    }

    /// A task is over.
    pub fn forget(&self, task_arn: &str) {
        self.lock().remove(task_arn);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, OfTask>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn signing(given: IamRoleCredentials) -> Option<SigningCredentials> {
    Some(SigningCredentials {
        access_key_id: given.access_key_id?,
        secret: given.secret_access_key?,
        session_token: given.session_token,
    })
}

/// Takes the credentials out of a payload's task, which keeps their ids and roles: what is left may be
/// written down.
pub fn taken_out(task: &mut Value) -> Vec<(Role, IamRoleCredentials)> {
    let mut taken = Vec::new();
    for (member, role) in MEMBERS {
        let Some(given) = task.get_mut(member).filter(|given| !given.is_null()) else {
            continue;
        };
        let named = json!({"credentialsId": given["credentialsId"], "roleArn": given["roleArn"]});
        let whole = std::mem::replace(given, named);
        // Anything else is no credentials: the task has a role and waits for them.
        taken.extend(serde_json::from_value(whole).ok().map(|one| (role, one)));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:ecs:us-east-1:000000000000:task/default/1";

    fn payload() -> Value {
        let credentials = |id: &str| {
            json!({"credentialsId": id, "roleArn": "arn:role", "accessKeyId": "ASIA",
                "secretAccessKey": "hush", "sessionToken": "hush", "expiration": "2026-01-01T00:00:00Z"})
        };
        json!({"arn": ARN, "roleCredentials": credentials("a"),
            "executionRoleCredentials": credentials("e")})
    }

    #[test]
    fn nothing_secret_is_left_to_be_written_down() {
        let mut task = payload();
        let taken = taken_out(&mut task);
        let roles: Vec<Role> = taken.iter().map(|(role, _)| *role).collect();
        assert_eq!(roles, [Role::Application, Role::Execution]);
        assert_eq!(taken[0].1.secret_access_key.as_deref(), Some("hush"));
        let left = task.to_string();
        assert!(!left.contains("hush") && !left.contains("ASIA"), "{left}");
        assert_eq!(task["roleCredentials"]["credentialsId"], "a");
        assert!(taken_out(&mut json!({"arn": ARN, "roleCredentials": null})).is_empty());
    }

    #[test]
    fn a_task_has_what_it_was_given_last_until_it_is_over() {
        let all = Credentials::default();
        let mut task = payload();
        for (role, credentials) in taken_out(&mut task) {
            all.put(ARN, role, credentials);
        }
        assert!(!format!("{all:?}").contains("hush"));
        let known = all.application(ARN).expect("it was given");
        assert_eq!(known.credentials_id.as_deref(), Some("a"));
        let fresh = IamRoleCredentials {
            access_key_id: Some("ASIB".into()),
            ..known
        };
        all.put(ARN, Role::Application, fresh.clone());
        assert_eq!(all.application(ARN), Some(fresh));
        assert_eq!(all.application("another"), None);
        assert_eq!(
            all.signing(ARN).map(|one| one.access_key_id).as_deref(),
            Some("ASIB")
        );
        assert_eq!(
            all.execution(ARN).map(|one| one.access_key_id).as_deref(),
            Some("ASIA")
        );
        all.forget(ARN);
        assert_eq!(all.application(ARN), None);
        assert!(all.execution(ARN).is_none());
    }
}
