//! A rolling update of a service on one host, beside a shell loop over runc that does as much.
//!
//! A task without a health check counts as healthy only a while after it is RUNNING, and nothing can
//! be done in between: that wait is told apart from the work.

use super::report::{Report, Row};
use super::runc::Runc;
use super::subject::Subject;
use super::{IMAGE, service_calls as services, tasks};
use crate::api::Session;
use crate::cli::DeployBench;
use crate::settings::Settings;
use anyhow::Context;
use aws_api::ecs::operations::UpdateService;
use aws_api::ecs::{DeploymentConfiguration, Task, UpdateServiceRequest};
use aws_types::Timestamp;
use std::time::{Duration, Instant};

const MODES: [&str; 2] = ["none", "host"];
/// How many are replaced at a time.
const BATCH: usize = 10;

/// Measures.
pub async fn run(settings: &Settings, what: &DeployBench) -> anyhow::Result<Report> {
    let count = usize::from(what.tasks);
    let subject = Subject::find(settings).await?;
    let mut session = subject.root()?.connect().await?;
    let mut report = Report::new("deploy");
    for mode in MODES {
        let definition = tasks::register(&mut session, mode, IMAGE, None).await?;
        for (shape, [minimum, maximum]) in [("by ten", by_ten(count)), ("all at once", [100, 200])]
        {
            let configuration = DeploymentConfiguration {
                minimum_healthy_percent: Some(minimum),
                maximum_percent: Some(maximum),
                ..Default::default()
            };
            let service = format!("bench-deploy-{mode}-{maximum}-{}", std::process::id());
            services::create(&mut session, &service, &definition, count, configuration).await?;
            let measured = update(&mut session, &service).await;
            // A running Longshore keeps nothing of it either way.
            services::delete(&mut session, &service).await?;
            let Measured { total, work } = measured?;
            let row = Row::new(format!("{mode}, {shape} ({minimum} to {maximum} percent)"))
                .with("total_ms", millis(total))
                .with("work_ms", millis(work))
                .with("wait_ms", millis(total.saturating_sub(work)))
                .with("n", count as f64);
            report.push(row);
        }
    }
    match Runc::prepare()? {
        Some(runc) => {
            let total = millis(runc.replace_all(count, BATCH)?);
            let row = Row::new("runc, a shell loop by ten, host")
                .with("total_ms", total)
                .with("work_ms", total)
                .with("wait_ms", 0.0)
                .with("n", count as f64);
            report.push(row);
            report.note(
                "runc delete --force looks for a container's end every 100 ms: about that much of \
                 each of its batches is waiting",
            );
        }
        None => report.note("runc is not installed: no peer in this run"),
    }
    report.note(
        "work: some task was starting or stopping; wait: all that were started were RUNNING and did \
         not yet count as healthy",
    );
    Ok(report)
}

/// The percentages that let ten of so many tasks be replaced at a time, none above the count.
fn by_ten(count: usize) -> [i32; 2] {
    let kept = count.saturating_sub(BATCH) * 100 / count.max(1);
    [i32::try_from(kept).unwrap_or(0), 100]
}

struct Measured {
    /// From UpdateService until COMPLETED is seen.
    total: Duration,
    /// Of it, the time in which some task was starting or stopping.
    work: Duration,
}

/// Deploys the same definition anew.
async fn update(session: &mut Session, service: &str) -> anyhow::Result<Measured> {
    services::steady(session, service, None).await?;
    let described = services::describe(session, service).await?;
    let before = described.deployments.iter().flatten().next();
    let before = before.and_then(|deployment| deployment.id.clone());
    let before = before.context("the service has no deployment")?;
    let input = UpdateServiceRequest {
        service: Some(service.into()),
        force_new_deployment: Some(true),
        ..Default::default()
    };
    let began = Instant::now();
    session.call::<UpdateService>(&input).await?;
    services::completed(session, service, &before).await?;
    let total = began.elapsed();
    let mut arns = services::list(session, service, "RUNNING").await?;
    arns.extend(services::list(session, service, "STOPPED").await?);
    let tasks = services::tasks(session, &arns).await?;
    let spans = tasks.iter().filter_map(|task| at_work(task, &before));
    Ok(Measured {
        total,
        work: covered(spans.collect()),
    })
}

/// When a task of the new deployment started, or one of the old deployment stopped.
fn at_work(task: &Task, before: &str) -> Option<(Timestamp, Timestamp)> {
    match task.started_by.as_deref() == Some(before) {
        true => Some((task.stopping_at?, task.stopped_at?)),
        false => Some((task.created_at?, task.started_at?)),
    }
}

/// How much time these spans cover together.
fn covered(mut spans: Vec<(Timestamp, Timestamp)>) -> Duration {
    spans.sort_unstable();
    let mut covered = Duration::ZERO;
    let mut until = Timestamp::EPOCH;
    for (from, to) in spans {
        let from = from.max(until);
        if to > from {
            covered += to.since(from);
            until = to;
        }
    }
    covered
}

fn millis(of: Duration) -> f64 {
    of.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_several_spans_cover_counts_once() {
        let at = Timestamp::from_millis;
        let spans = vec![
            (at(30), at(40)),
            (at(0), at(10)),
            (at(5), at(12)),
            (at(6), at(8)),
            (at(40), at(41)),
        ];
        assert_eq!(covered(spans), Duration::from_millis(23));
        assert_eq!(covered(Vec::new()), Duration::ZERO);
    }

    #[test]
    fn ten_at_a_time_are_a_tenth_of_a_hundred_and_all_of_a_few() {
        assert_eq!(by_ten(100), [90, 100]);
        assert_eq!(by_ten(15), [33, 100]);
        assert_eq!(by_ten(4), [0, 100]);
    }
}
