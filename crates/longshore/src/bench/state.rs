//! Start to first answer: of `up` in an empty directory, and of a server with many task records.

use super::report::Report;
use super::sample::Sample;
use super::subject::{Subject, command};
use super::tasks;
use crate::api::Root;
use crate::cli::StateBench;
use crate::settings::Settings;
use anyhow::{Context, bail, ensure};
use aws_api::ecs::operations::{DescribeTasks, ListClusters};
use aws_api::ecs::{DescribeTasksRequest, ListClustersRequest};
use std::io::Write;
use std::process::Stdio;
use std::time::Instant;

/// Measures.
pub async fn run(settings: &Settings, what: &StateBench) -> anyhow::Result<Report> {
    if settings.data_was_named {
        bail!("this bench starts and stops what it measures: it takes no --data");
    }
    let mut report = Report::new("state");
    let mut first = Sample::default();
    let mut export = None;
    for _ in 0..what.samples {
        let mut subject = Subject::prepare(settings)?;
        let began = Instant::now();
        subject.start("up")?;
        subject
            .until_ready(|settings| async move { lists_clusters(&settings).await })
            .await?;
        first.push(began.elapsed());
        if export.is_none() {
            export = Some(exported(&mut subject).await?);
        }
    }
    report.push(first.row("`up` in an empty directory to the first answer"));
    let (export, task) = export.context("no sample was asked for")?;
    let text = multiplied(&export, &task, what.tasks)?;
    let mut subject = Subject::prepare(settings)?;
    import(&subject, &text)?;
    let mut restart = Sample::default();
    for _ in 0..what.samples {
        let began = Instant::now();
        subject.start("server")?;
        let name = id(what.tasks - 1);
        subject
            .until_ready(|settings| {
                let name = name.clone();
                async move { describes(&settings, &name).await }
            })
            .await?;
        restart.push(began.elapsed());
        subject.down()?;
    }
    report.push(restart.row(format!("server with {} task records", what.tasks)));
    report.note("first answer: a signed call answered 200, looked for every millisecond");
    Ok(report)
}

async fn lists_clusters(settings: &Settings) -> bool {
    let Ok(root) = Root::of(settings) else {
        return false;
    };
    root.call::<ListClusters>(&ListClustersRequest::default())
        .await
        .is_ok()
}

async fn describes(settings: &Settings, task: &str) -> bool {
    let Ok(root) = Root::of(settings) else {
        return false;
    };
    let input = DescribeTasksRequest {
        tasks: Some(vec![task.to_owned()]),
        ..Default::default()
    };
    let answer = root.call::<DescribeTasks>(&input).await;
    answer.is_ok_and(|answer| answer.tasks.is_some_and(|tasks| tasks.len() == 1))
}

/// Every record after one task has come and gone, and that task's id.
async fn exported(subject: &mut Subject) -> anyhow::Result<(String, String)> {
    subject
        .until_ready(|settings| async move { crate::api::is_ready(&settings).await })
        .await?;
    let mut session = subject.root()?.connect().await?;
    let definition = tasks::register(&mut session, "none", "longshore/hello", None).await?;
    let arns = tasks::run(&mut session, &definition, 1).await?;
    tasks::until(&mut session, &arns, "RUNNING").await?;
    tasks::stop(&mut session, &arns).await?;
    let output = command("state export", &subject.settings).output()?;
    ensure!(
        output.status.success(),
        "state export: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let arn = arns.first().context("no task")?;
    let task = arn.rsplit('/').next().unwrap_or_default().to_owned();
    Ok((String::from_utf8(output.stdout)?, task))
}

/// The export with as many copies of the task's record, each under an id of its own.
fn multiplied(export: &str, task: &str, count: usize) -> anyhow::Result<String> {
    let is_task = |line: &&str| {
        serde_json::from_str::<serde_json::Value>(line).is_ok_and(|row| row["table"] == "ecs.tasks")
    };
    let (tasks, others): (Vec<&str>, Vec<&str>) = export.lines().partition(is_task);
    let record = tasks.first().context("the export has no task")?;
    let mut text = String::with_capacity(count * record.len());
    for line in others {
        text.push_str(line);
        text.push('\n');
    }
    for at in 0..count {
        text.push_str(&record.replace(task, &id(at)));
        text.push('\n');
    }
    Ok(text)
}

/// A task id like AWS's.
fn id(at: usize) -> String {
    format!("{at:032x}")
}

fn import(subject: &Subject, text: &str) -> anyhow::Result<()> {
    let mut child = command("state import", &subject.settings)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut input = child.stdin.take().context("no standard input")?;
    input.write_all(text.as_bytes())?;
    drop(input);
    let status = child.wait()?;
    ensure!(status.success(), "state import: {status}");
    Ok(())
}
