//! DescribeAlarms, in order of name.

use super::{all, ask};
use crate::alarms::records::{ALARMS, AlarmKey, AlarmRecord, BY_CHILD, State, prefix};
use crate::alarms::shape::{composite_alarm, metric_alarm};
use crate::errors::{combination, token, value};
use crate::page::{name_token, read_name_token};
use aws_api::cloudwatch::{DescribeAlarmsInput, DescribeAlarmsOutput};
use aws_types::{AwsError, Ctx};
use iam::Ask;
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{TableKey, World};

/// API reference, `MaxRecords`: where none is given.
const PAGE: usize = 50;

/// Asks for all alarms.
pub fn asks(_: &DescribeAlarmsInput, _: &World, ctx: &Ctx) -> Vec<Ask> {
    ask(ctx, "DescribeAlarms", ["*"])
}

/// Lists those that pass every filter.
pub fn describe_alarms(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeAlarmsInput,
) -> Result<DescribeAlarmsOutput, AwsError> {
    check(input)?;
    let after = match input.next_token.as_deref() {
        Some(text) => Some(read_name_token(text).ok_or_else(token)?),
        None => None,
    };
    let wanted = Wanted::of(input)?;
    let len = input.max_records.and_then(|len| usize::try_from(len).ok());
    let mut found = candidates(world, ctx, input, after.as_deref())
        .filter(|alarm| wanted.has(alarm))
        .peekable();
    let page: Vec<_> = found.by_ref().take(len.unwrap_or(PAGE)).collect();
    let last = page.last().filter(|_| found.peek().is_some());
    let next_token = last.map(|alarm| name_token(&alarm.key.name));
    let composite_alarms = page.iter().filter_map(|alarm| composite_alarm(alarm));
    let metric_alarms = page.iter().filter_map(|alarm| metric_alarm(alarm));
    Ok(DescribeAlarmsOutput {
        metric_alarms: Some(metric_alarms.collect()),
        composite_alarms: Some(composite_alarms.collect()),
        next_token,
        ..DescribeAlarmsOutput::default()
    })
}

/// Rule: API reference: names exclude a prefix; children and parents exclude everything else.
fn check(input: &DescribeAlarmsInput) -> Result<(), AwsError> {
    if input.alarm_names.is_some() && input.alarm_name_prefix.is_some() {
        return Err(combination(
            "The parameters AlarmNames and AlarmNamePrefix cannot be used together.",
        ));
    }
    let families = [&input.children_of_alarm_name, &input.parents_of_alarm_name];
    let asked = families.into_iter().flatten().count();
    let others = [
        input.alarm_names.is_some(),
        input.alarm_name_prefix.is_some(),
        input.alarm_types.is_some(),
        input.action_prefix.is_some(),
        input.state_value.is_some(),
    ];
    if asked > 1 || (asked == 1 && others.contains(&true)) {
        return Err(combination(
            "ChildrenOfAlarmName and ParentsOfAlarmName cannot be used with other filters.",
        ));
    }
    Ok(())
}

/// The alarms that the names or the prefix allow, in order of name, after this one.
fn candidates<'w>(
    world: &'w World,
    ctx: &Ctx,
    input: &DescribeAlarmsInput,
    after: Option<&str>,
) -> Box<dyn Iterator<Item = &'w Arc<AlarmRecord>> + 'w> {
    let scope = ctx.scope.clone();
    if let Some(names) = input
        .alarm_names
        .as_deref()
        .filter(|names| !names.is_empty())
    {
        let mut names: Vec<String> = all(Some(names)).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| after.is_none_or(|after| name.as_str() > after));
        let get = move |name: String| world.get(&ALARMS, &AlarmKey::new(&scope, &name));
        return Box::new(names.into_iter().filter_map(get));
    }
    if let Some(names) = family(world, ctx, input) {
        let after = after.map(str::to_owned);
        let names = names.into_iter();
        let rest = names.filter(move |name| after.as_ref().is_none_or(|after| name > after));
        let get = move |name: String| world.get(&ALARMS, &AlarmKey::new(&scope, &name));
        return Box::new(rest.filter_map(get));
    }
    let after = after.map(|name| AlarmKey::new(&scope, name).encode());
    let start = input.alarm_name_prefix.clone().unwrap_or_default();
    let of_scope = prefix(&scope);
    let rows = world.scan_prefix(&ALARMS, &of_scope, after.as_ref());
    let rows = rows.map(|(_, alarm)| alarm);
    // A copy of what is found: the scan borrows its prefix.
    let found: Vec<_> = rows
        .filter(|alarm| alarm.key.name.starts_with(&start))
        .collect();
    Box::new(found.into_iter())
}

/// Names of the children or parents that are asked for, in order.
fn family(world: &World, ctx: &Ctx, input: &DescribeAlarmsInput) -> Option<BTreeSet<String>> {
    if let Some(parent) = &input.children_of_alarm_name {
        let parent = world.get(&ALARMS, &AlarmKey::new(&ctx.scope, parent));
        let children = parent.map(|parent| parent.children().to_vec());
        return Some(children.unwrap_or_default().into_iter().collect());
    }
    let child = input.parents_of_alarm_name.as_ref()?;
    let child = AlarmKey::new(&ctx.scope, child).encode();
    let parents = world.find(&ALARMS, &BY_CHILD, &child);
    Some(parents.map(|alarm| alarm.key.name.clone()).collect())
}

struct Wanted {
    state: Option<State>,
    action_prefix: Option<String>,
    kinds: Vec<String>,
}

impl Wanted {
    fn of(input: &DescribeAlarmsInput) -> Result<Self, AwsError> {
        let state = input.state_value.as_deref();
        let read = |name: &str| {
            State::of(name).ok_or_else(|| value(format!("{name} is not a state of alarms.")))
        };
        // Rule: API reference: metric alarms alone, unless others are asked for.
        let kinds = input.alarm_types.clone().filter(|kinds| !kinds.is_empty());
        let families = [&input.children_of_alarm_name, &input.parents_of_alarm_name];
        let all = match families.into_iter().flatten().next() {
            Some(_) => vec!["MetricAlarm".into(), "CompositeAlarm".into()],
            None => vec!["MetricAlarm".into()],
        };
        Ok(Self {
            state: state.map(read).transpose()?,
            action_prefix: input.action_prefix.clone(),
            kinds: kinds.unwrap_or(all),
        })
    }

    fn has(&self, alarm: &AlarmRecord) -> bool {
        let states = [State::Ok, State::Alarm, State::InsufficientData];
        let starts = |prefix: &String| {
            let actions = states.iter().flat_map(|state| alarm.actions(*state));
            actions.into_iter().any(|action| action.starts_with(prefix))
        };
        self.kinds.iter().any(|kind| kind == alarm.kind())
            && self.state.is_none_or(|state| alarm.state.value == state)
            && self.action_prefix.as_ref().is_none_or(starts)
    }
}
