//! The stages of a deployment that keeps blue (what ran) beside green (what is deployed), and the
//! hooks that hold it up there. A ROLLING deployment has a stage only while it bakes.
//!
//! Rule: semantics 6.7; API reference, DeploymentLifecycleHook, DeploymentLifecycleHookDetail.

use super::task::TaskKey;
use aws_types::Timestamp;
use serde::{Deserialize, Serialize};

/// Bytes of a hook's `hookDetails`, as JSON text.
pub const HOOK_DETAILS_LEN_MAX: usize = 64 * 1024;

/// `deploymentConfiguration.strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Task by task, within the limits.
    Rolling,
    /// All traffic at once.
    BlueGreen,
    /// Traffic in equal steps.
    Linear,
    /// Some traffic first, then all the rest.
    Canary,
}

impl Strategy {
    /// Every one, in the model's order.
    pub const ALL: [Self; 4] = [Self::Rolling, Self::BlueGreen, Self::Linear, Self::Canary];

    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rolling => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::Linear => "LINEAR",
            Self::Canary => "CANARY",
        }
    }

    /// The strategy of AWS's word; none is ROLLING.
    #[must_use]
    pub fn parse(word: Option<&str>) -> Option<Self> {
        let word = word.unwrap_or("ROLLING");
        Self::ALL
            .into_iter()
            .find(|strategy| strategy.name() == word)
    }
}

/// `lifecycleStage`, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Tasks that are neither blue's nor green's go.
    ReconcileService,
    /// No green task was started yet.
    PreScaleUp,
    /// Green grows to the whole desired count.
    ScaleUp,
    /// Green is whole.
    PostScaleUp,
    /// Test traffic goes to green.
    TestTrafficShift,
    /// Green has all test traffic.
    PostTestTrafficShift,
    /// Before each step of production traffic.
    PreProductionTrafficShift,
    /// A step of production traffic goes to green.
    ProductionTrafficShift,
    /// Green has all production traffic.
    PostProductionTrafficShift,
    /// Blue is kept, should green fail.
    BakeTime,
    /// Blue goes.
    CleanUp,
}

impl Stage {
    /// Those at which hooks are called, in the model's order.
    pub const WITH_HOOKS: [Self; 8] = [
        Self::ReconcileService,
        Self::PreScaleUp,
        Self::PostScaleUp,
        Self::TestTrafficShift,
        Self::PostTestTrafficShift,
        Self::PreProductionTrafficShift,
        Self::ProductionTrafficShift,
        Self::PostProductionTrafficShift,
    ];

    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ReconcileService => "RECONCILE_SERVICE",
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::BakeTime => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }

    /// Whether a hook may pause a deployment here. Rule: semantics 6.7: not while traffic shifts.
    #[must_use]
    pub const fn may_pause(self) -> bool {
        !matches!(self, Self::TestTrafficShift | Self::ProductionTrafficShift)
    }
}

/// How far a deployment with stages is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// Its strategy.
    pub strategy: Strategy,
    /// Where it is.
    pub stage: Stage,
    /// Since when.
    pub since: Timestamp,
    /// The number of the deployment that is kept beside it; none for the first of a service.
    pub blue: Option<u64>,
    /// `requestedTestTrafficWeight` of green, in tenths of a percent.
    pub test_weight: u32,
    /// `requestedProductionTrafficWeight` of green, in tenths of a percent.
    pub production_weight: u32,
    /// The hooks of this stage and of those before it, each stage's of its last turn.
    pub hooks: Vec<Hook>,
}

/// All traffic, in tenths of a percent.
pub const WEIGHT_WHOLE: u32 = 1000;

impl Staged {
    /// Whether blue is kept whole: until CLEAN_UP. A ROLLING deployment that bakes has no blue.
    #[must_use]
    pub fn keeps_blue(&self) -> bool {
        self.strategy != Strategy::Rolling && self.stage != Stage::CleanUp
    }

    /// The hooks of the present stage.
    pub fn present_hooks(&self) -> impl Iterator<Item = &Hook> {
        self.hooks.iter().filter(|hook| hook.stage == self.stage)
    }
}

/// `action` of a paused hook, and of one whose time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookAction {
    /// The deployment is rolled back.
    Rollback,
    /// The deployment goes on.
    Continue,
}

impl HookAction {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rollback => "ROLLBACK",
            Self::Continue => "CONTINUE",
        }
    }

    /// The action of AWS's word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Rollback, Self::Continue];
        all.into_iter().find(|action| action.name() == word)
    }
}

/// `status` of a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookStatus {
    /// It waits for ContinueServiceDeployment.
    AwaitingAction,
    /// Its target is being asked.
    InProgress,
    /// The deployment may go on.
    Succeeded,
    /// The deployment is to be rolled back.
    Failed,
    /// It was not resolved in time.
    TimedOut,
}

impl HookStatus {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwaitingAction => "AWAITING_ACTION",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
        }
    }

    /// Whether it can still change.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::AwaitingAction | Self::InProgress)
    }
}

/// One turn of a hook at a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// `hookId`: given when the stage is stored; blank until then.
    pub id: String,
    /// The stage that it holds up.
    pub stage: Stage,
    /// `targetArn`; a PAUSE has none.
    pub target: Option<String>,
    /// `status`.
    pub status: HookStatus,
    /// `expiresAt`.
    pub expires: Timestamp,
    /// `timeoutAction`.
    pub on_timeout: HookAction,
    /// How asking its target goes.
    #[serde(default)]
    pub run: HookRun,
}

/// How asking a hook's target goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRun {
    /// Calls that failed one after another.
    pub failures: u32,
    /// It is not asked before.
    pub next: Option<Timestamp>,
    /// `hookDetails` for the next call, JSON text: those of its last answer, before one those of the service.
    pub details: Option<String>,
    /// The task that was started for it.
    pub task: Option<TaskKey>,
}
