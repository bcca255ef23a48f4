//! A service's container is killed: how long until its replacement is RUNNING.
//!
//! One victim at a time, each of which counts as healthy: a task that ends earlier is, from the second
//! in a row on, started again only after a wait (AWS's throttle of failing tasks).

use super::report::Report;
use super::sample::Sample;
use super::subject::Subject;
use super::tasks::{self, POLL_EVERY};
use super::{IMAGE, service_calls as services};
use crate::api::Session;
use crate::cli::ReplaceBench;
use crate::settings::Settings;
use anyhow::bail;
use rustix::process::{Signal, kill_process};
use std::time::{Duration, Instant};

const MODES: [&str; 3] = ["host", "none", "bridge"];
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures.
pub async fn run(settings: &Settings, what: &ReplaceBench) -> anyhow::Result<Report> {
    let subject = Subject::find(settings).await?;
    let mut session = subject.root()?.connect().await?;
    let mut report = Report::new("replace");
    for mode in MODES {
        let definition = tasks::register(&mut session, mode, IMAGE, None).await?;
        let service = format!("bench-replace-{mode}-{}", std::process::id());
        let desired = usize::from(what.tasks);
        let configuration = Default::default();
        services::create(&mut session, &service, &definition, desired, configuration).await?;
        let sample = kills(&mut session, &service, what.count, &subject.settings).await;
        // A running Longshore keeps nothing of it either way.
        services::delete(&mut session, &service).await?;
        report.push(sample?.row(format!("kill -9 to RUNNING again, {mode}")));
    }
    report.note(format!(
        "a service of {} tasks; victims count as healthy; polled every {} ms",
        what.tasks,
        POLL_EVERY.as_millis()
    ));
    Ok(report)
}

/// Kills so many, as many as there are tasks between two steady states.
async fn kills(
    session: &mut Session,
    service: &str,
    count: usize,
    settings: &Settings,
) -> anyhow::Result<Sample> {
    let mut sample = Sample::default();
    let mut told: Option<String> = None;
    while sample.len() < count {
        told = Some(services::steady(session, service, told.as_deref()).await?);
        let mut known = services::list(session, service, "RUNNING").await?;
        let victims = known.clone();
        for victim in victims.iter().take(count - sample.len()) {
            let pid = services::first_process(&settings.data.path().join("agent/tasks"), victim)?;
            let began = Instant::now();
            kill_process(pid, Signal::KILL)?;
            let replacement = until_replaced(session, service, &known).await?;
            sample.push(began.elapsed());
            known.push(replacement);
        }
    }
    Ok(sample)
}

/// Polls until a task that is none of `known` is RUNNING; its ARN.
async fn until_replaced(
    session: &mut Session,
    service: &str,
    known: &[String],
) -> anyhow::Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let mut poll = tokio::time::interval(POLL_EVERY);
    poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut replacement = None;
    loop {
        poll.tick().await;
        if replacement.is_none() {
            let listed = services::list(session, service, "RUNNING").await?;
            replacement = listed.into_iter().find(|arn| !known.contains(arn));
        }
        if let Some(arn) = &replacement {
            let described = services::tasks(session, std::slice::from_ref(arn)).await?;
            match described
                .first()
                .and_then(|task| task.last_status.as_deref())
            {
                Some("RUNNING") => return Ok(arn.clone()),
                Some("STOPPED") => bail!("the replacement {arn} stopped"),
                _ => {}
            }
        }
        if Instant::now() > deadline {
            bail!("nothing replaced the killed task within {PATIENCE:?}");
        }
    }
}
