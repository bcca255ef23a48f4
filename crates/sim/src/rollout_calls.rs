//! How users roll services out in stages, and meddle with what is under way: hooks that pause or ask a
//! target, alarms that end deployments, deployments that are stopped, tasks that are protected.

use crate::event::{Event, Request};
use crate::service_calls::ServiceCall;
use crate::simulation::Simulation;
use aws_api::cloudwatch::{PutMetricAlarmInput, SetAlarmStateInput};
use aws_api::ecs::{
    CanaryConfiguration, ContinueServiceDeploymentRequest, DeploymentAlarms,
    DeploymentConfiguration, DeploymentLifecycleHook, DeploymentLifecycleHookTimeoutConfiguration,
    LinearConfiguration, StopServiceDeploymentRequest, UpdateTaskProtectionRequest,
};
use aws_types::AwsError;
use ecs::ops;
use ecs::records::TASKS;
use ecs::records::deployment_stage::HookStatus;
use ecs::records::service::{SERVICES, ServiceRecord};
use ecs::records::service_deployment::{SERVICE_DEPLOYMENTS, ServiceDeploymentKey};
use ecs::records::target::{TargetKind, TargetRecord};
use ecs::service::hooks::{self, Answer, Call};
use ecs::targets;
use ecs::task::status::DesiredStatus;
use std::time::Duration;
use telemetry::alarms::ops as alarms;

/// The target that hooks ask.
const TARGET: &str = "gate";
/// Stages at which users have hooks, those that may pause first.
const STAGES: [&str; 6] = [
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "RECONCILE_SERVICE",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
    "TEST_TRAFFIC_SHIFT",
];
const MAY_PAUSE: u64 = 5;
/// Alarms that deployments watch; the last is not made by anybody.
const ALARMS: [&str; 3] = ["errors", "latency", "nobody"];
/// Seconds that one looks back.
const LOOKS_BACK: i32 = 60;

/// A call about what is under way.
#[derive(Clone, Debug)]
pub enum RolloutCall {
    Stop(StopServiceDeploymentRequest),
    Continue(ContinueServiceDeploymentRequest),
    Protect(UpdateTaskProtectionRequest),
    Alarm(SetAlarmStateInput),
}

impl Simulation {
    /// What the operator declared that hooks may ask.
    pub fn declare_targets(&mut self) {
        let target = TargetRecord {
            name: TARGET.into(),
            does: TargetKind::Url("http://gate.test/".into()),
        };
        let declared = self.server.submit(0, None, |txn, _| {
            targets::set(txn, vec![target]);
            Ok(())
        });
        if declared.is_err() {
            self.violate(1, "a target could not be declared".into());
        }
        self.wait_for_commit(None);
    }

    /// What deployments may watch.
    pub fn make_alarms(&mut self) {
        for name in &ALARMS[..2] {
            let input = PutMetricAlarmInput {
                alarm_name: Some((*name).into()),
                namespace: Some("app".into()),
                metric_name: Some((*name).into()),
                statistic: Some("Sum".into()),
                period: Some(LOOKS_BACK),
                evaluation_periods: Some(1),
                threshold: Some(1.0),
                comparison_operator: Some("GreaterThanThreshold".into()),
                ..PutMetricAlarmInput::default()
            };
            let made = self.server.submit(0, None, |txn, ctx| {
                alarms::put_metric_alarm(txn, ctx, &input)
            });
            if let Err(error) = made {
                self.violate(1, format!("alarm {name} was refused: {error:?}"));
            }
        }
        self.wait_for_commit(None);
    }

    /// What a service's deployments watch.
    pub fn some_alarms(&mut self) -> Option<DeploymentAlarms> {
        let from = self.random.below(ALARMS.len() as u64) as usize;
        let rollback = self.random.chance(700);
        let enable = self.random.chance(800);
        self.random.chance(500).then(|| DeploymentAlarms {
            alarm_names: Some(ALARMS[from..].iter().map(ToString::to_string).collect()),
            enable: Some(enable),
            rollback: Some(rollback),
        })
    }

    /// A strategy with its steps, bake time and hooks.
    pub fn some_strategy(&mut self) -> DeploymentConfiguration {
        let bake = self.random.between(0, 2) as i32;
        let mut asked = DeploymentConfiguration {
            bake_time_in_minutes: Some(bake),
            ..DeploymentConfiguration::default()
        };
        let strategy = match self.random.below(4) {
            0 => "ROLLING",
            1 => {
                asked.linear_configuration = Some(LinearConfiguration {
                    step_percent: Some(40.0),
                    step_bake_time_in_minutes: Some(bake),
                });
                "LINEAR"
            }
            2 => {
                asked.canary_configuration = Some(CanaryConfiguration {
                    canary_percent: Some(10.0),
                    canary_bake_time_in_minutes: Some(bake),
                });
                "CANARY"
            }
            _ => "BLUE_GREEN",
        };
        if strategy != "ROLLING" {
            let count = self.random.below(3);
            asked.lifecycle_hooks = Some((0..count).map(|_| self.some_hook()).collect());
        }
        asked.strategy = Some(strategy.into());
        asked
    }

    fn some_hook(&mut self) -> DeploymentLifecycleHook {
        let pauses = self.random.chance(500);
        let stages = if pauses {
            MAY_PAUSE
        } else {
            STAGES.len() as u64
        };
        let stage = STAGES[self.random.below(stages) as usize];
        let goes_on = self.random.chance(500);
        let scope = self.server.ctx(self.now).scope.clone();
        let function = format!("function:{TARGET}");
        DeploymentLifecycleHook {
            target_type: pauses.then(|| "PAUSE".into()),
            hook_target_arn: (!pauses).then(|| scope.arn("lambda", &function).to_string()),
            lifecycle_stages: Some(vec![stage.into()]),
            timeout_configuration: Some(DeploymentLifecycleHookTimeoutConfiguration {
                timeout_in_minutes: Some(self.random.between(1, 4) as i32),
                action: Some(if goes_on { "CONTINUE" } else { "ROLLBACK" }.into()),
            }),
            ..DeploymentLifecycleHook::default()
        }
    }

    /// A call about what is under way, if anything is.
    pub fn some_rollout_call(&mut self) -> Option<ServiceCall> {
        let call = match self.random.below(13) {
            0..3 => self.stop_some()?,
            3..7 => self.continue_some()?,
            7..10 => self.protect_some()?,
            _ => self.set_some_alarm(),
        };
        Some(ServiceCall::Rollout(call))
    }

    fn stop_some(&mut self) -> Option<RolloutCall> {
        let all = self.server.published.scan(&SERVICES);
        let all: Vec<String> = all.filter_map(|service| under_way(service)).collect();
        let arn = self.random.pick(&all)?.clone();
        let kinds = [None, Some("ROLLBACK"), Some("ABORT")];
        Some(RolloutCall::Stop(StopServiceDeploymentRequest {
            service_deployment_arn: Some(arn),
            stop_type: self.random.pick(&kinds)?.map(Into::into),
        }))
    }

    /// Rather one that a deployment watches; it rings for a while.
    fn set_some_alarm(&mut self) -> RolloutCall {
        let open = self.server.published.scan(&SERVICE_DEPLOYMENTS);
        let open = open.filter(|of| of.status.is_open());
        let watched = open.flat_map(|of| of.alarms.names.clone());
        let watched: Vec<String> = watched.filter(|name| name != ALARMS[2]).collect();
        let name = match self.random.pick(&watched) {
            Some(name) => name.clone(),
            None => ALARMS[self.random.below(2) as usize].into(),
        };
        let quiet = Request::Service(ServiceCall::Rollout(set_alarm(&name, "OK")));
        let delay = self.random.wait(60_000);
        self.after(delay, Event::Request(Box::new(quiet)));
        set_alarm(&name, "ALARM")
    }

    fn continue_some(&mut self) -> Option<RolloutCall> {
        let all = self.server.published.scan(&SERVICES);
        let paused = all.filter_map(|service| {
            let staged = service.primary()?.staged.as_ref()?;
            let mut hooks = staged.present_hooks();
            let hook = hooks.find(|hook| hook.status == HookStatus::AwaitingAction)?;
            Some((under_way(service)?, hook.id.clone()))
        });
        let paused: Vec<_> = paused.collect();
        let (arn, hook) = self.random.pick(&paused)?.clone();
        let goes_on = self.random.chance(700);
        Some(RolloutCall::Continue(ContinueServiceDeploymentRequest {
            service_deployment_arn: Some(arn),
            hook_id: Some(hook),
            action: Some(if goes_on { "CONTINUE" } else { "ROLLBACK" }.into()),
        }))
    }

    fn protect_some(&mut self) -> Option<RolloutCall> {
        let tasks = self.server.published.scan(&TASKS);
        let kept = tasks.filter(|task| {
            task.service.is_some()
                && task.desired == DesiredStatus::Running
                && task.key.cluster == "default"
        });
        let kept: Vec<String> = kept.map(|task| task.key.id.0.clone()).collect();
        let task = self.random.pick(&kept)?.clone();
        let is_protected = self.random.chance(800);
        let minutes = self.random.between(1, 5) as i32;
        Some(RolloutCall::Protect(UpdateTaskProtectionRequest {
            cluster: Some("default".into()),
            tasks: Some(vec![task]),
            protection_enabled: Some(is_protected),
            expires_in_minutes: is_protected.then_some(minutes),
        }))
    }

    /// Does what a call asks for.
    pub fn serve_rollout(&mut self, call: &RolloutCall) -> Result<(), AwsError> {
        let (now, server) = (self.now, &mut self.server);
        match call {
            RolloutCall::Stop(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::stop_service_deployment::stop_service_deployment(txn, ctx, input)
                })?;
                self.statistics.rollouts_stopped += 1;
            }
            RolloutCall::Continue(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::continue_service_deployment::continue_service_deployment(txn, ctx, input)
                })?;
            }
            RolloutCall::Alarm(input) => {
                server.submit(now, None, |txn, ctx| {
                    alarms::set_alarm_state(txn, ctx, input)
                })?;
            }
            RolloutCall::Protect(input) => {
                server.submit(now, None, |txn, ctx| {
                    ops::update_task_protection::update_task_protection(txn, ctx, input)
                })?;
            }
        }
        Ok(())
    }

    /// The targets of hooks answer, as `control/src/controllers/hooks.rs` asks them.
    pub fn ask_hooks(&mut self) {
        let now = self.server.now(self.now);
        let (due, _) = hooks::due(&self.server.published, now);
        for due in due {
            let answer = match due.call {
                Call::Post { .. } => self.some_answer(),
                Call::Concluded(answer) => answer,
                // The operator declared no task.
                Call::Start => continue,
            };
            self.statistics.hooks += 1;
            let kept = self.server.submit(self.now, None, |txn, ctx| {
                hooks::answered(txn, ctx, &due.service, &due.hook, answer);
                Ok(())
            });
            if kept.is_ok() {
                self.wait_for_commit(None);
            }
        }
    }

    fn some_answer(&mut self) -> Answer {
        match self.random.below(10) {
            0 if !self.is_calm => Answer::Failed,
            1 if !self.is_calm => Answer::Unavailable,
            2..5 => Answer::InProgress(Duration::from_secs(30), None),
            _ => Answer::Succeeded,
        }
    }
}

fn set_alarm(name: &str, state: &str) -> RolloutCall {
    RolloutCall::Alarm(SetAlarmStateInput {
        alarm_name: Some(name.into()),
        state_value: Some(state.into()),
        state_reason: Some("seen".into()),
        ..SetAlarmStateInput::default()
    })
}

/// The ARN of the service deployment of the PRIMARY.
pub fn under_way(service: &ServiceRecord) -> Option<String> {
    let key = ServiceDeploymentKey {
        service: service.key.clone(),
        id: service.primary()?.part_of.clone()?,
    };
    Some(key.arn())
}
