//! What is stored: alarms with their state, and what became of them.

use aws_api::Stored;
use aws_api::cloudwatch::{PutCompositeAlarmInput, PutMetricAlarmInput};
use aws_types::{Scope, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use store::{Index, Key, Table, TableDefinition, TableKey, Tally};

/// An alarm within account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AlarmKey {
    /// Partition, account and region.
    pub scope: Scope,
    /// `AlarmName`.
    pub name: String,
}

impl AlarmKey {
    /// The key of the alarm of this name.
    #[must_use]
    pub fn new(scope: &Scope, name: &str) -> Self {
        Self {
            scope: scope.clone(),
            name: name.into(),
        }
    }

    /// `arn:PARTITION:cloudwatch:REGION:ACCOUNT:alarm:NAME`.
    #[must_use]
    pub fn arn(&self) -> String {
        let resource = format!("alarm:{}", self.name);
        self.scope.arn("cloudwatch", &resource).to_string()
    }
}

impl TableKey for AlarmKey {
    fn encode(&self) -> Key {
        Key::of(&[&self.scope.account, &self.scope.region, &self.name])
    }
}

/// What the keys of all rows of a scope begin with.
#[must_use]
pub fn prefix(scope: &Scope) -> Key {
    Key::of(&[&scope.account, &scope.region])
}

/// `StateValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Within the threshold.
    Ok,
    /// Beyond it.
    Alarm,
    /// Not known.
    InsufficientData,
}

impl State {
    /// AWS's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Alarm => "ALARM",
            Self::InsufficientData => "INSUFFICIENT_DATA",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let all = [Self::Ok, Self::Alarm, Self::InsufficientData];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// The state of an alarm, with why and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateOf {
    /// `StateValue`.
    pub value: State,
    /// `StateReason`.
    pub reason: String,
    /// `StateReasonData`: JSON.
    #[serde(default)]
    pub reason_data: Option<String>,
    /// `StateUpdatedTimestamp`.
    pub updated: Timestamp,
    /// `StateTransitionedTimestamp`: when the value became what it is.
    pub transitioned: Timestamp,
}

/// What an alarm watches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Given {
    /// A metric or an expression over metrics, as it was put, without its tags.
    Metric(Box<Stored<PutMetricAlarmInput>>),
    /// The states of other alarms, as it was put, without its tags.
    Composite {
        /// What was put.
        given: Box<Stored<PutCompositeAlarmInput>>,
        /// Names of the alarms that its rule names.
        children: Vec<String>,
    },
}

/// An alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmRecord {
    /// Its scope and name.
    pub key: AlarmKey,
    /// What it watches.
    pub given: Given,
    /// `ActionsEnabled`.
    pub actions_enabled: bool,
    /// `AlarmConfigurationUpdatedTimestamp`.
    pub configured: Timestamp,
    /// The state it is in.
    pub state: StateOf,
    /// Tags by key.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl AlarmRecord {
    /// ARNs of what is to be done on entering this state.
    #[must_use]
    pub fn actions(&self, state: State) -> &[String] {
        let (ok, alarm, unknown) = match &self.given {
            Given::Metric(given) => (
                &given.ok_actions,
                &given.alarm_actions,
                &given.insufficient_data_actions,
            ),
            Given::Composite { given, .. } => (
                &given.ok_actions,
                &given.alarm_actions,
                &given.insufficient_data_actions,
            ),
        };
        let actions = match state {
            State::Ok => ok,
            State::Alarm => alarm,
            State::InsufficientData => unknown,
        };
        actions.as_deref().unwrap_or_default()
    }

    /// `AlarmDescription`.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        match &self.given {
            Given::Metric(given) => given.alarm_description.as_deref(),
            Given::Composite { given, .. } => given.alarm_description.as_deref(),
        }
    }

    /// What it watches, of an alarm on metrics.
    #[must_use]
    pub fn metric(&self) -> Option<&PutMetricAlarmInput> {
        match &self.given {
            Given::Metric(given) => Some(given),
            Given::Composite { .. } => None,
        }
    }

    /// Names of the alarms that a composite one names.
    #[must_use]
    pub fn children(&self) -> &[String] {
        match &self.given {
            Given::Metric(_) => &[],
            Given::Composite { children, .. } => children,
        }
    }

    /// `MetricAlarm` or `CompositeAlarm`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.given {
            Given::Metric(_) => "MetricAlarm",
            Given::Composite { .. } => "CompositeAlarm",
        }
    }
}

/// One thing that became of an alarm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryRecord {
    /// The alarm and the moment.
    pub key: HistoryKey,
    /// `AlarmType`.
    pub alarm_kind: String,
    /// `ConfigurationUpdate`, `StateUpdate` or `Action`.
    pub kind: String,
    /// `HistorySummary`.
    pub summary: String,
    /// `HistoryData`: JSON.
    pub data: String,
}

/// An item of an alarm's history; in order of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HistoryKey {
    /// The alarm, there or not.
    pub alarm: AlarmKey,
    /// When.
    pub at: Timestamp,
    /// Tells apart what was at one moment, in the order in which it was.
    pub number: u64,
}

impl TableKey for HistoryKey {
    fn encode(&self) -> Key {
        let AlarmKey { scope, name } = &self.alarm;
        let key = Key::build().text(&scope.account).text(&scope.region);
        key.text(name)
            .number(u64::try_from(self.at.millis()).unwrap_or_default())
            .number(self.number)
            .finish()
    }
}

/// Composite alarms by each alarm that they name.
pub static BY_CHILD: Index<AlarmRecord> = Index {
    name: "by_child",
    keys: |alarm| {
        let children = alarm.children().iter();
        children
            .map(|name| AlarmKey::new(&alarm.key.scope, name).encode())
            .collect()
    },
};

/// All alarms, in order of name.
pub static ALARMS: Table<AlarmKey, AlarmRecord> =
    Table::new("cloudwatch.alarms", |alarm| alarm.key.clone(), &[&BY_CHILD]);

/// By moment, of all scopes: the oldest goes first.
pub static BY_TIME: Index<HistoryRecord> = Index {
    name: "by_time",
    keys: |item| {
        let at = u64::try_from(item.key.at.millis()).unwrap_or_default();
        vec![Key::build().number(at).finish()]
    },
};

/// Items of an alarm.
pub static OF_ALARM: Tally<HistoryRecord> = Tally {
    name: "of_alarm",
    of: |item| vec![(item.key.alarm.encode(), 1)],
};

/// What became of alarms.
pub static HISTORY: Table<HistoryKey, HistoryRecord> = Table::new(
    "cloudwatch.alarm_history",
    |item: &HistoryRecord| item.key.clone(),
    &[&BY_TIME],
)
.with_tallies(&[&OF_ALARM]);

/// The tables of alarms.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    vec![&ALARMS, &HISTORY]
}
