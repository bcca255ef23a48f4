//! `longshore sim`: whole clusters on a virtual clock, with faults, from seeds.
//!
//! A failing seed is printed with the step and what was violated; the same command with that seed
//! alone does the same again.

use ::sim::{Load, Mutation, Plan, Statistics, Violation};
use clap::Args;
use std::io::Write;
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
    play(options, None, &mut std::io::stdout())
}

/// The same, with a planted bug, printed elsewhere: each violation when it is found.
fn play(
    options: &SimOptions,
    mutation: Option<Mutation>,
    out: &mut dyn Write,
) -> anyhow::Result<ExitCode> {
    let begun = Instant::now();
    let mut statistics = Statistics::default();
    let mut violations = Vec::new();
    let mut trace = 0;
    for seed in (0..options.seeds).map(|more| options.seed.wrapping_add(more)) {
        let outcome = ::sim::run(Plan {
            seed,
            minutes: options.hours * 60,
            load: Load::Everything,
            mutation,
        })?;
        statistics = statistics.plus(outcome.statistics);
        trace ^= outcome.trace;
        if let Some(violation) = outcome.violation {
            if !options.json {
                writeln!(out, "seed {seed}: {violation}")?;
                writeln!(
                    out,
                    "again: longshore sim --seed {seed} --hours {}",
                    options.hours
                )?;
            }
            violations.push((seed, violation));
        }
    }
    let seconds = begun.elapsed().as_secs_f64();
    if options.json {
        let told = json(options, &statistics, &violations, trace, seconds);
        writeln!(out, "{told}")?;
    } else {
        let told = line(options, &statistics, violations.len(), trace, seconds);
        writeln!(out, "{told}")?;
    }
    Ok(match violations.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn line(options: &SimOptions, all: &Statistics, failed: usize, trace: u64, seconds: f64) -> String {
    format!(
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
    )
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    /// A bug that shows in every hour of load or nearly so.
    const BUG: Option<Mutation> = Some(Mutation::KeptRefusal);

    fn options(seed: u64, seeds: u64, json: bool) -> SimOptions {
        SimOptions {
            seed,
            seeds,
            hours: 1,
            json,
        }
    }

    /// What is printed, and the exit status.
    fn played(options: &SimOptions, mutation: Option<Mutation>) -> (String, ExitCode) {
        let mut out = Vec::new();
        let status = play(options, mutation, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), status)
    }

    /// The first seed that shows the bug, and what is printed of it.
    fn failing() -> (u64, String) {
        let mut found = (1..20).map(|seed| (seed, played(&options(seed, 1, false), BUG)));
        let is_failure =
            |(_, (_, status)): &(u64, (String, ExitCode))| *status == ExitCode::FAILURE;
        let (seed, (text, _)) = found.find(is_failure).unwrap();
        (seed, text)
    }

    /// Without how long it took.
    fn timeless(text: &str) -> String {
        let words = text.split(' ').collect::<Vec<_>>();
        let at = words
            .windows(2)
            .position(|pair| pair[0] == "in" && pair[1].contains('.'));
        let kept = words.iter().enumerate();
        let kept = kept.filter(|(n, _)| at.is_none_or(|at| *n != at + 1));
        kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_violation_is_told_with_the_command_that_shows_it_again() {
        let (seed, text) = failing();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].starts_with(&format!("seed {seed}: ")), "{text}");
        let again = lines[1].strip_prefix("again: ").unwrap();
        assert!(
            lines[2].starts_with("1 seeds, 1 failed; 1 simulated hours in "),
            "{text}"
        );
        assert_eq!(lines.len(), 3, "{text}");
        let read = Cli::parse_from(again.split(' ')).command;
        let Command::Sim(read) = read else {
            panic!("{again}");
        };
        let (second, status) = played(&read, BUG);
        assert_eq!(timeless(&second), timeless(&text));
        assert_eq!(status, ExitCode::FAILURE);
        let (told, status) = played(&options(seed, 1, true), BUG);
        assert_eq!(status, ExitCode::FAILURE);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        let violation = &told["violations"][0];
        assert_eq!(told["violations"].as_array().unwrap().len(), 1);
        assert_eq!(
            (&violation["seed"], &told["seed"]),
            (&seed.into(), &seed.into())
        );
        assert!(
            lines[0].contains(violation["what"].as_str().unwrap()),
            "{told}"
        );
        let trace = told["trace"].as_str().unwrap();
        assert!(lines[2].ends_with(&format!("trace {trace}")), "{text}");
    }

    #[test]
    fn two_runs_of_the_same_seeds_print_one_trace_and_others_print_another() {
        let (first, status) = played(&options(7, 1, false), None);
        assert_eq!(status, ExitCode::SUCCESS);
        assert!(
            first.starts_with("1 seeds, 0 failed; 1 simulated hours in "),
            "{first}"
        );
        let (second, _) = played(&options(7, 1, false), None);
        assert_eq!(timeless(&second), timeless(&first));
        let (other, _) = played(&options(9, 1, false), None);
        let trace = |text: &str| text.trim().rsplit(' ').next().unwrap().to_owned();
        assert_ne!(trace(&other), trace(&first));
        let (told, _) = played(&options(7, 1, true), None);
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["trace"], trace(&first));
        assert_eq!(told["violations"], serde_json::json!([]));
    }
}
