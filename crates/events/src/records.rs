//! What is stored: rules, their targets, when they fire next, deliveries, declared endpoints.

use crate::bus::LISTENERS;
use aws_api::Stored;
use aws_api::events::Target;
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Index, Key, Table, TableDefinition, TableKey, Tally};

/// The one bus.
pub const BUS: &str = "default";

/// A rule of the bus, within account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RuleKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// Its name.
    pub name: String,
}

impl RuleKey {
    /// The key of a rule.
    #[must_use]
    pub fn new(scope: &Scope, name: &str) -> Self {
        Self {
            scope: scope.clone(),
            name: name.into(),
        }
    }

    /// What the keys of all rules of a scope begin with.
    #[must_use]
    pub fn prefix(scope: &Scope) -> Key {
        Key::of(&[&scope.account, &scope.region, BUS])
    }

    /// `arn:PARTITION:events:REGION:ACCOUNT:rule/NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        let resource = format!("rule/{}", self.name);
        self.scope.arn("events", &resource).to_string()
    }
}

impl TableKey for RuleKey {
    fn encode(&self) -> Key {
        Key::of(&[&self.scope.account, &self.scope.region, BUS, &self.name])
    }
}

/// `State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RuleState {
    /// It listens, or fires.
    Enabled,
    /// It does neither.
    Disabled,
}

impl RuleState {
    /// AWS's word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enabled => "ENABLED",
            Self::Disabled => "DISABLED",
        }
    }
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleRecord {
    /// Its scope and name.
    pub key: RuleKey,
    /// `State`.
    pub state: RuleState,
    /// `EventPattern`, as it was given; it parses.
    #[serde(default)]
    pub pattern: Option<String>,
    /// `ScheduleExpression`, as it was given; it parses.
    #[serde(default)]
    pub schedule: Option<String>,
    /// `Description`.
    #[serde(default)]
    pub description: Option<String>,
    /// `RoleArn`.
    #[serde(default)]
    pub role: Option<String>,
    /// Tags by key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// Who made it: an account.
    pub created_by: String,
}

/// A target of a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TargetKey {
    /// The rule.
    pub rule: RuleKey,
    /// Its id, unique in the rule.
    pub id: String,
}

impl TableKey for TargetKey {
    fn encode(&self) -> Key {
        let RuleKey { scope, name } = &self.rule;
        Key::of(&[&scope.account, &scope.region, BUS, name, &self.id])
    }
}

/// One target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// Its rule and id.
    pub key: TargetKey,
    /// As it was given.
    pub target: Stored<Target>,
    /// The log stream that it writes, where it is a log group: a uuid.
    pub stream: String,
}

/// When a rule with a schedule fires next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleRecord {
    /// The rule.
    pub key: RuleKey,
    /// From when on a rate counts: the rule was put or enabled then.
    pub anchor: Timestamp,
    /// The next time; `None` when there is none any more.
    pub next: Option<Timestamp>,
}

/// One event on its way to one target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeliveryKey {
    /// The target.
    pub target: TargetKey,
    /// When it was staged.
    pub at: Timestamp,
    /// The event's id.
    pub event: String,
}

impl TableKey for DeliveryKey {
    fn encode(&self) -> Key {
        let RuleKey { scope, name } = &self.target.rule;
        Key::build()
            .text(&scope.account)
            .text(&scope.region)
            .text(BUS)
            .text(name)
            .text(&self.target.id)
            .number(u64::try_from(self.at.millis()).unwrap_or_default())
            .text(&self.event)
            .finish()
    }
}

/// A delivery: it is there until the target took it, or it was given up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryRecord {
    /// Its target, moment and event.
    pub key: DeliveryKey,
    /// What the target is given: JSON as a rule, any text where a template makes it.
    pub input: String,
    /// Tries that failed.
    pub failures: u32,
    /// When it is to be tried next.
    pub due: Timestamp,
}

/// An HTTP endpoint that the operator declared: what an API destination's ARN may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointRecord {
    /// Its name.
    pub name: String,
    /// Where events are posted to.
    pub url: String,
}

/// By due time, the earliest first.
pub static DUE: Index<DeliveryRecord> = Index {
    name: "due",
    keys: |delivery| {
        let millis = u64::try_from(delivery.due.millis()).unwrap_or_default();
        vec![Key::build().number(millis).finish()]
    },
};

/// Deliveries that wait for a target.
pub static WAITING: Tally<DeliveryRecord> = Tally {
    name: "waiting",
    of: |delivery| vec![(delivery.key.target.encode(), 1)],
};

/// All rules.
pub static RULES: Table<RuleKey, RuleRecord> =
    Table::new("events.rules", |rule: &RuleRecord| rule.key.clone(), &[]).with_feeds(&[&LISTENERS]);

/// All targets.
pub static TARGETS: Table<TargetKey, TargetRecord> =
    Table::new("events.targets", |target| target.key.clone(), &[]);

/// Every rule with a schedule that is ENABLED.
pub static SCHEDULES: Table<RuleKey, ScheduleRecord> =
    Table::new("events.schedules", |schedule| schedule.key.clone(), &[]);

/// All deliveries that are under way.
pub static DELIVERIES: Table<DeliveryKey, DeliveryRecord> = Table::new(
    "events.deliveries",
    |delivery| delivery.key.clone(),
    &[&DUE],
)
.with_tallies(&[&WAITING]);

/// The declared endpoints, written at start.
pub static ENDPOINTS: Table<Key, EndpointRecord> = Table::new(
    "events.endpoints",
    |endpoint| Key::of(&[&endpoint.name]),
    &[],
);

/// The tables of this crate.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![&RULES, &TARGETS, &SCHEDULES, &DELIVERIES, &ENDPOINTS]
}
