//! Asks the targets of lifecycle hooks: a POST whose answer decides, or a task whose exit code does.
//!
//! What is due is read from the state; a call under way is remembered only so that it is not made
//! twice at once. A server that was killed makes it again.

use super::http_client::HttpClient;
use super::{Controller, Controllers};
use crate::clock;
use aws_types::{AwsError, Timestamp};
use ecs::service::hooks::{self, Answer, Call, Due};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tracing::{debug, warn};

/// A call without a whole answer by then failed; a longer check answers IN_PROGRESS.
const PATIENCE: Duration = Duration::from_secs(60);

/// The hooks, by id, whose targets are being called.
#[derive(Clone, Debug, Default)]
struct UnderWay(Arc<Mutex<HashSet<String>>>);

impl UnderWay {
    fn begin(&self, hook: &str) -> bool {
        let mut hooks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hooks.insert(hook.into())
    }

    fn end(&self, hook: &str) {
        let mut hooks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hooks.remove(hook);
    }
}

/// The controller.
pub struct Hooks {
    shared: Controllers,
    http: HttpClient,
    under_way: UnderWay,
}

impl Hooks {
    /// With no call under way.
    pub fn new(shared: Controllers) -> Self {
        Self {
            shared,
            http: HttpClient::default(),
            under_way: UnderWay::default(),
        }
    }

    fn own(&self, due: &Due) -> Controllers {
        Controllers {
            scope: due.service.scope.clone(),
            ..self.shared.clone()
        }
    }

    /// Calls the URL in a task of its own: no hook waits for another's target.
    fn post(&self, due: Due, url: String, body: String) {
        if !self.under_way.begin(&due.hook) {
            return;
        }
        let (own, http, under_way) = (self.own(&due), self.http.clone(), self.under_way.clone());
        tokio::spawn(async move {
            let answer = ask(&http, &url, body).await;
            debug!(hook = due.hook, url, ?answer, "a lifecycle hook was asked");
            let hook = due.hook.clone();
            if let Err(error) = conclude(&own, due, answer).await {
                // Still due: the slow tick asks again.
                warn!(
                    hook,
                    ?error,
                    "the answer of a lifecycle hook could not be kept"
                );
            }
            under_way.end(&hook);
        });
    }
}

async fn ask(http: &HttpClient, url: &str, body: String) -> Answer {
    match http.post_json(url, body, PATIENCE).await {
        Ok((status, body)) => hooks::read(status, &body),
        Err(error) => {
            warn!(url, %error, "a lifecycle hook's target does not answer");
            Answer::Unavailable
        }
    }
}

async fn conclude(own: &Controllers, due: Due, answer: Answer) -> Result<(), AwsError> {
    let step = own.step("hooks", move |txn, ctx| {
        hooks::answered(txn, ctx, &due.service, &due.hook, answer);
        Ok(())
    });
    step.await
}

#[async_trait::async_trait]
impl Controller for Hooks {
    fn name(&self) -> &'static str {
        "hooks"
    }

    fn wakes_on(&self) -> &'static [&'static str] {
        &["ecs.services", "ecs.tasks"]
    }

    async fn activate(&self) -> Result<Option<Timestamp>, AwsError> {
        let (all, next) = hooks::due(&self.shared.state.snapshot(), clock::now());
        for due in all {
            match due.call.clone() {
                Call::Post { url, body } => self.post(due, url, body),
                Call::Concluded(answer) => conclude(&self.own(&due), due, answer).await?,
                Call::Start => {
                    let own = self.own(&due);
                    let step = own.step("hooks", move |txn, ctx| {
                        hooks::start(txn, ctx, &due.service, &due.hook);
                        Ok(())
                    });
                    step.await?;
                }
            }
        }
        Ok(next)
    }
}
