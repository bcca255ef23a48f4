//! The stages of BLUE_GREEN, LINEAR and CANARY: when a deployment goes on to the next one.
//!
//! Green grows beside blue; then traffic moves, at once or in steps; then blue is kept for the bake
//! time, and goes. Every hook of a stage must pass before the next. A ROLLING deployment bakes once
//! it is complete, or as its early success criteria say. Pure: time comes in [`Seen`].
//!
//! A service without a load balancer has no traffic to move: the weights are recorded all the same.
//! The first deployment of a service has nothing to keep: its traffic is whole at once, without a
//! bake time. Rule: semantics 6.5, 6.7.

use super::stage_hooks::{self, Resolved};
use crate::records::deployment_stage::{Stage, Staged, Strategy, WEIGHT_WHOLE};
use aws_api::ecs::DeploymentConfiguration;
use aws_types::Timestamp;
use std::time::Duration;

/// What a stage looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// This moment.
    pub now: Timestamp,
    /// Green has all its tasks, healthy.
    pub is_scaled: bool,
    /// No task is left but blue's and green's.
    pub is_reconciled: bool,
    /// Everything that is wanted is there, and nothing else.
    pub is_complete: bool,
    /// For ROLLING: the early success criteria are met.
    pub is_early: bool,
    /// How long its alarms are to be watched after that: it bakes at least as long.
    pub alarm_bake: Duration,
}

/// How a deployment goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Not now; with nothing happening, from this moment on.
    Waits(Option<Timestamp>),
    /// It failed, for this reason.
    Fails(String),
    /// It is done.
    Completes,
}

/// Where a new deployment begins. `blue`: what is kept beside it; `has_others`: whether tasks of
/// further deployments are to go first. `None`: the strategy has no stages.
#[must_use]
pub fn begin(
    configuration: &DeploymentConfiguration,
    blue: Option<u64>,
    has_others: bool,
    now: Timestamp,
) -> Option<Staged> {
    let strategy = Strategy::parse(configuration.strategy.as_deref())?;
    if strategy == Strategy::Rolling {
        return None;
    }
    let first = match has_others {
        true => Stage::ReconcileService,
        false => Stage::PreScaleUp,
    };
    let mut staged = at(strategy, first, blue, now);
    enter(&mut staged, first, configuration, now);
    Some(staged)
}

fn at(strategy: Strategy, stage: Stage, blue: Option<u64>, now: Timestamp) -> Staged {
    Staged {
        strategy,
        stage,
        since: now,
        blue,
        test_weight: 0,
        production_weight: 0,
        hooks: Vec::new(),
    }
}

/// Goes on through as many stages as may be passed now.
pub fn advance(
    staged: &mut Option<Staged>,
    configuration: &DeploymentConfiguration,
    seen: Seen,
) -> Outcome {
    match staged {
        Some(staged) if staged.strategy != Strategy::Rolling => {
            through(staged, configuration, seen)
        }
        _ => rolling(staged, configuration, seen),
    }
}

fn through(staged: &mut Staged, configuration: &DeploymentConfiguration, seen: Seen) -> Outcome {
    loop {
        match stage_hooks::resolve(staged, seen.now) {
            Resolved::Passed => {}
            Resolved::Open(until) => return Outcome::Waits(until),
            Resolved::Failed(reason) => return Outcome::Fails(reason),
        }
        if let Err(until) = gate(staged, configuration, seen) {
            return Outcome::Waits(until);
        }
        let Some(next) = next(staged) else {
            return Outcome::Completes;
        };
        enter(staged, next, configuration, seen.now);
    }
}

/// Whether the present stage's own work is done; else when it is, by nothing but time.
fn gate(
    staged: &Staged,
    configuration: &DeploymentConfiguration,
    seen: Seen,
) -> Result<(), Option<Timestamp>> {
    let after = |wait: Duration| match staged.since.plus(wait) {
        until if until <= seen.now => Ok(()),
        until => Err(Some(until)),
    };
    let when = |is: bool| if is { Ok(()) } else { Err(None) };
    match staged.stage {
        Stage::ReconcileService => when(seen.is_reconciled),
        Stage::ScaleUp => when(seen.is_scaled),
        Stage::ProductionTrafficShift if staged.production_weight < WEIGHT_WHOLE => {
            after(step_bake(staged.strategy, configuration))
        }
        Stage::BakeTime if staged.blue.is_some() => after(bake(configuration, seen)),
        Stage::CleanUp => when(seen.is_complete),
        _ => Ok(()),
    }
}

fn next(staged: &Staged) -> Option<Stage> {
    Some(match staged.stage {
        Stage::ReconcileService => Stage::PreScaleUp,
        Stage::PreScaleUp => Stage::ScaleUp,
        Stage::ScaleUp => Stage::PostScaleUp,
        Stage::PostScaleUp => Stage::TestTrafficShift,
        Stage::TestTrafficShift => Stage::PostTestTrafficShift,
        Stage::PostTestTrafficShift => Stage::PreProductionTrafficShift,
        Stage::PreProductionTrafficShift => Stage::ProductionTrafficShift,
        Stage::ProductionTrafficShift if staged.production_weight < WEIGHT_WHOLE => {
            Stage::PreProductionTrafficShift
        }
        Stage::ProductionTrafficShift => Stage::PostProductionTrafficShift,
        Stage::PostProductionTrafficShift => Stage::BakeTime,
        Stage::BakeTime => Stage::CleanUp,
        Stage::CleanUp => return None,
    })
}

fn enter(staged: &mut Staged, stage: Stage, with: &DeploymentConfiguration, now: Timestamp) {
    staged.stage = stage;
    staged.since = now;
    match stage {
        Stage::TestTrafficShift => staged.test_weight = WEIGHT_WHOLE,
        Stage::ProductionTrafficShift => staged.production_weight = shifted(staged, with),
        _ => {}
    }
    stage_hooks::open(staged, with, now);
}

/// Green's production traffic after one more step.
fn shifted(staged: &Staged, configuration: &DeploymentConfiguration) -> u32 {
    let before = staged.production_weight;
    if staged.blue.is_none() {
        return WEIGHT_WHOLE;
    }
    let after = match staged.strategy {
        Strategy::Rolling | Strategy::BlueGreen => WEIGHT_WHOLE,
        Strategy::Linear => {
            let linear = configuration.linear_configuration.as_ref();
            before + tenths(linear.and_then(|linear| linear.step_percent), 10.0)
        }
        Strategy::Canary if before == 0 => {
            let canary = configuration.canary_configuration.as_ref();
            tenths(canary.and_then(|canary| canary.canary_percent), 5.0)
        }
        Strategy::Canary => WEIGHT_WHOLE,
    };
    after.min(WEIGHT_WHOLE)
}

/// A percentage in tenths, at least one: a step that moves nothing would be repeated for ever.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 1..=1000 before it is converted"
)]
fn tenths(percent: Option<f64>, default: f64) -> u32 {
    let tenths = (percent.unwrap_or(default) * 10.0).round();
    tenths.clamp(1.0, f64::from(WEIGHT_WHOLE)) as u32
}

fn step_bake(strategy: Strategy, configuration: &DeploymentConfiguration) -> Duration {
    let linear = configuration.linear_configuration.as_ref();
    let canary = configuration.canary_configuration.as_ref();
    match strategy {
        Strategy::Rolling | Strategy::BlueGreen => Duration::ZERO,
        Strategy::Linear => minutes(linear.and_then(|l| l.step_bake_time_in_minutes), 6),
        Strategy::Canary => minutes(canary.and_then(|c| c.canary_bake_time_in_minutes), 10),
    }
}

fn bake(configuration: &DeploymentConfiguration, seen: Seen) -> Duration {
    minutes(configuration.bake_time_in_minutes, 0).max(seen.alarm_bake)
}

fn minutes(given: Option<i32>, default: u64) -> Duration {
    let minutes = given.map_or(default, |given| u64::try_from(given).unwrap_or(0));
    Duration::from_secs(minutes * 60)
}

/// A ROLLING deployment bakes once it is complete, or early where its criteria are met.
fn rolling(
    staged: &mut Option<Staged>,
    configuration: &DeploymentConfiguration,
    seen: Seen,
) -> Outcome {
    let is_reached = seen.is_complete || seen.is_early;
    let bake = bake(configuration, seen);
    if staged.is_none() && is_reached && !bake.is_zero() {
        *staged = Some(at(Strategy::Rolling, Stage::BakeTime, None, seen.now));
    }
    let until = staged.as_ref().map(|staged| staged.since.plus(bake));
    match until.filter(|until| *until > seen.now) {
        Some(until) => Outcome::Waits(Some(until)),
        None if is_reached => Outcome::Completes,
        None => Outcome::Waits(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::ecs::{CanaryConfiguration, LinearConfiguration};
    use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

    const SEEN: Seen = Seen {
        now: Timestamp::from_millis(0),
        is_scaled: true,
        is_reconciled: true,
        is_complete: true,
        is_early: false,
        alarm_bake: Duration::ZERO,
    };

    fn configuration(strategy: Strategy, percent: f64, minutes: i32) -> DeploymentConfiguration {
        DeploymentConfiguration {
            strategy: Some(strategy.name().into()),
            bake_time_in_minutes: Some(minutes),
            linear_configuration: Some(LinearConfiguration {
                step_percent: Some(percent),
                step_bake_time_in_minutes: Some(minutes),
            }),
            canary_configuration: Some(CanaryConfiguration {
                canary_percent: Some(percent),
                canary_bake_time_in_minutes: Some(minutes),
            }),
            ..DeploymentConfiguration::default()
        }
    }

    #[test]
    fn nothing_but_its_own_work_holds_a_stage_up() {
        let with = configuration(Strategy::BlueGreen, 10.0, 0);
        for (has_others, blocked, expected) in [
            (
                true,
                Seen {
                    is_reconciled: false,
                    ..SEEN
                },
                Stage::ReconcileService,
            ),
            (
                false,
                Seen {
                    is_scaled: false,
                    ..SEEN
                },
                Stage::ScaleUp,
            ),
            (
                false,
                Seen {
                    is_complete: false,
                    ..SEEN
                },
                Stage::CleanUp,
            ),
        ] {
            let mut staged = begin(&with, Some(1), has_others, SEEN.now);
            let outcome = advance(&mut staged, &with, blocked);
            assert_eq!(outcome, Outcome::Waits(None), "{expected:?}");
            assert_eq!(staged.as_ref().unwrap().stage, expected);
            assert_eq!(advance(&mut staged, &with, SEEN), Outcome::Completes);
        }
    }

    proptest! {
        #[test]
        fn traffic_only_grows_and_every_deployment_ends_in_time(
            strategy in prop::sample::select(vec![Strategy::BlueGreen, Strategy::Linear, Strategy::Canary]),
            tenths in 30_u32..=1000,
            minutes in 0_i32..=1440,
            has_blue in any::<bool>(),
            has_others in any::<bool>(),
        ) {
            let with = configuration(strategy, f64::from(tenths) / 10.0, minutes);
            let mut staged = begin(&with, has_blue.then_some(1), has_others, SEEN.now);
            let (mut now, mut weight, mut turns) = (SEEN.now, 0, 0_i64);
            loop {
                let outcome = advance(&mut staged, &with, Seen { now, ..SEEN });
                let at = staged.as_ref().unwrap();
                prop_assert!(at.production_weight >= weight && at.production_weight <= WEIGHT_WHOLE);
                weight = at.production_weight;
                match outcome {
                    Outcome::Completes => break,
                    Outcome::Waits(Some(until)) => {
                        prop_assert!(until > now, "waiting for the past would never end");
                        prop_assert!(has_blue && at.stage >= Stage::ProductionTrafficShift);
                        now = until;
                        turns += 1;
                    }
                    other => prop_assert!(false, "{other:?} at {at:?}"),
                }
            }
            let steps = match strategy {
                Strategy::Linear => 1000_i64.div_euclid(i64::from(tenths)) + i64::from(1000 % tenths != 0),
                Strategy::Canary if tenths < 1000 => 2,
                _ => 1,
            };
            let waits = if has_blue && minutes > 0 { steps } else { 0 };
            prop_assert_eq!((weight, turns), (WEIGHT_WHOLE, waits), "a bake after each step");
        }
    }
}
