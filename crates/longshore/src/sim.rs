//! `longshore sim`: whole clusters on a virtual clock, with faults, from seeds.
//!
//! A failing seed is printed with the step and what was violated; the same command with that seed
//! alone does the same again.

use ::sim::{Load, Plan, Statistics, Violation};
use clap::Args;
use std::process::ExitCode;
use std::time::Instant;

/// A seed gives the same run on every machine, to the last step.
#[derive(Args, Debug)]
pub struct SimOptions {
    /// The first seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many seeds, one after the other
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub seeds: u64,
    /// Simulated hours of each seed
    #[arg(long, default_value_t = 1)]
    pub hours: u64,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Runs the seeds; fails if one of them violates an invariant.
pub fn run(options: &SimOptions) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut statistics = Statistics::default();
    let mut violations = Vec::new();
    let mut trace = 0;
    for seed in (0..options.seeds).map(|more| options.seed.wrapping_add(more)) {
        let outcome = ::sim::run(Plan {
            seed,
            minutes: options.hours * 60,
            load: Load::Everything,
            mutation: None,
        })?;
        statistics = statistics.plus(outcome.statistics);
        trace ^= outcome.trace;
        if let Some(violation) = outcome.violation {
            if !options.json {
                println!("seed {seed}: {violation}");
                println!(
                    "again: longshore sim --seed {seed} --hours {}",
                    options.hours
                );
            }
            violations.push((seed, violation));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    if options.json {
        println!(
            "{}",
            json(options, &statistics, &violations, trace, seconds)
        );
    } else {
        print_line(options, &statistics, violations.len(), trace, seconds);
    }
    Ok(match violations.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn print_line(options: &SimOptions, all: &Statistics, failed: usize, trace: u64, seconds: f64) {
    println!(
        "{} seeds, {failed} failed; {} simulated hours in {seconds:.1} s; {} events, {} tasks, \
         {} refused, {} containers, {} services, {} deployments, \
         {} rolled back, {} stopped, {} ended by alarms, {} task sets, {} hooks asked, {} unhealthy tasks replaced, \
         {} interfaces, {} refused by \
         full subnets, {} commits; {} server kills, {} agent kills, {} hosts lost, \
         {} messages lost, {} repeated, {} requests failed; trace {trace:016x}",
        options.seeds,
        options.hours * options.seeds,
        all.events,
        all.tasks,
        all.refused,
        all.containers,
        all.services,
        all.deployments,
        all.rollbacks,
        all.rollouts_stopped,
        all.alarmed,
        all.task_sets,
        all.hooks,
        all.unhealthy,
        all.interfaces,
        all.full_subnets,
        all.commits,
        all.server_kills,
        all.agent_kills,
        all.hosts_lost,
        all.lost,
        all.twice,
        all.failed,
    );
}

fn json(
    options: &SimOptions,
    all: &Statistics,
    violations: &[(u64, Violation)],
    trace: u64,
    seconds: f64,
) -> serde_json::Value {
    let one = |(seed, violation): &(u64, Violation)| {
        serde_json::json!({
            "seed": seed,
            "invariant": violation.invariant,
            "step": violation.step,
            "at_ms": violation.at_ms,
            "what": violation.what,
        })
    };
    serde_json::json!({
        "seed": options.seed,
        "seeds": options.seeds,
        "hours": options.hours * options.seeds,
        "seconds": seconds,
        "trace": format!("{trace:016x}"),
        "events": all.events,
        "tasks": all.tasks,
        "refused": all.refused,
        "containers": all.containers,
        "services": all.services,
        "deployments": all.deployments,
        "rolled_back": all.rollbacks,
        "deployments_stopped": all.rollouts_stopped,
        "ended_by_alarms": all.alarmed,
        "task_sets": all.task_sets,
        "hooks_asked": all.hooks,
        "unhealthy_replaced": all.unhealthy,
        "interfaces": all.interfaces,
        "refused_by_full_subnets": all.full_subnets,
        "commits": all.commits,
        "server_kills": all.server_kills,
        "agent_kills": all.agent_kills,
        "hosts_lost": all.hosts_lost,
        "messages_lost": all.lost,
        "messages_repeated": all.twice,
        "requests_failed": all.failed,
        "violations": violations.iter().map(one).collect::<Vec<_>>(),
    })
}
