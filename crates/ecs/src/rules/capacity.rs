//! What a call's tasks go by: a launch type, or a strategy of capacity providers, the call's own or the
//! cluster's default.
//!
//! Fargate's two providers are all there are: no other can be made. Rule: API reference, RunTask,
//! CreateService, UpdateService, CreateTaskSet, CapacityProviderStrategyItem; texts as users report them.

use super::{any, invalid_parameter};
use crate::fargate;
use crate::records::cluster::ClusterRecord;
use aws_api::Stored;
use aws_api::ecs::CapacityProviderStrategyItem;
use aws_types::AwsError;
use std::ops::RangeInclusive;

/// API reference, RunTask, `capacityProviderStrategy`: items.
const ITEMS_MAX: usize = 20;
/// API reference, CapacityProviderStrategyItem, `base`: tasks.
const BASE: RangeInclusive<i32> = 0..=100_000;
/// API reference, CapacityProviderStrategyItem, `weight`.
const WEIGHT: RangeInclusive<i32> = 0..=1000;
/// `launchType` where neither it nor a strategy says anything.
const LAUNCH_TYPE: &str = "EC2";

/// What tasks go by.
#[derive(Clone, Debug, PartialEq)]
pub struct Capacity {
    /// The launch type; of a strategy that of its providers.
    pub launch_type: String,
    /// The strategy; empty where a launch type was asked for.
    pub strategy: Vec<CapacityProviderStrategyItem>,
}

/// What was asked for, else the default strategy of the cluster, else EC2. Without a cluster there is no
/// default: what the call then lacks is its own error.
///
/// # Errors
/// `InvalidParameterException`.
pub fn of(
    cluster: Option<&ClusterRecord>,
    launch_type: Option<&str>,
    strategy: Option<&Vec<CapacityProviderStrategyItem>>,
) -> Result<Capacity, AwsError> {
    let given = strategy.map(Vec::as_slice).unwrap_or_default();
    if launch_type.is_some() && !given.is_empty() {
        return Err(invalid_parameter(
            "Specify either Launch Type or Capacity Provider Strategy, but not both.",
        ));
    }
    check_form(given)?;
    let default: Vec<_> = cluster
        .map(|cluster| cluster.default_strategy.iter())
        .into_iter()
        .flatten()
        .map(|item| item.0.clone())
        .collect();
    let (strategy, whose) = match (launch_type, given) {
        (Some(launch_type), _) => return Ok(by_launch_type(launch_type)),
        (None, []) if default.is_empty() => return Ok(by_launch_type(LAUNCH_TYPE)),
        (None, []) => (default, "default"),
        (None, given) => (given.to_vec(), "specified"),
    };
    if let Some(cluster) = cluster {
        check_associated(cluster, &strategy)?;
    }
    if strategy.iter().all(|item| weight(item) == 0) {
        return Err(invalid_parameter(format!(
            "There are no capacity providers with a weight value greater than zero defined in the \
             {whose} capacity provider strategy. At least one capacity provider must have a weight \
             value greater than zero specified. Update the cluster's default capacity provider \
             strategy or specify a valid capacity provider strategy and try again."
        )));
    }
    Ok(Capacity {
        launch_type: fargate::LAUNCH_TYPE.into(),
        strategy: strategy.iter().map(normal).collect(),
    })
}

/// What a task set goes by: what was asked for, else the default strategy of the cluster, else the launch type of its
/// service. Rule: API reference, CreateTaskSet.
///
/// # Errors
/// As [`of`].
pub fn of_task_set(
    cluster: &ClusterRecord,
    of_service: &str,
    launch_type: Option<&str>,
    strategy: Option<&Vec<CapacityProviderStrategyItem>>,
) -> Result<Capacity, AwsError> {
    let has_strategy = any(strategy) || !cluster.default_strategy.is_empty();
    let launch_type = launch_type.or(Some(of_service).filter(|_| !has_strategy));
    of(Some(cluster), launch_type, strategy)
}

/// What a service goes by from now on, where an update changes it: a strategy, or with an empty one its launch type
/// again. `present`: its launch type and strategy until now.
///
/// # Errors
/// As [`of`]; `InvalidParameterException` where it changes and no deployment is forced.
pub fn of_update(
    cluster: &ClusterRecord,
    (launch_type, present): (&str, &[Stored<CapacityProviderStrategyItem>]),
    asked: Option<&Vec<CapacityProviderStrategyItem>>,
    is_forced: bool,
) -> Result<Option<Capacity>, AwsError> {
    let Some(asked) = asked else { return Ok(None) };
    check_form(asked)?;
    let present = present.iter().map(|item| &item.0);
    if asked.iter().map(normal).eq(present.cloned()) {
        return Ok(None);
    }
    let capacity = match asked.is_empty() {
        true => by_launch_type(launch_type),
        false => of(Some(cluster), None, Some(asked))?,
    };
    match is_forced {
        true => Ok(Some(capacity)),
        false => Err(invalid_parameter(
            "When switching from launch type to capacity provider strategy on an existing service, \
             or making a change to a capacity provider strategy on a service that is already using \
             one, you must force a new deployment.",
        )),
    }
}

fn by_launch_type(launch_type: &str) -> Capacity {
    Capacity {
        launch_type: launch_type.into(),
        strategy: Vec::new(),
    }
}

/// The numbers of a strategy.
///
/// # Errors
/// `InvalidParameterException`.
pub fn check_form(strategy: &[CapacityProviderStrategyItem]) -> Result<(), AwsError> {
    if strategy.len() > ITEMS_MAX {
        return Err(invalid_parameter(format!(
            "A capacity provider strategy cannot contain more than {ITEMS_MAX} capacity providers."
        )));
    }
    for (name, range, of) in [
        ("base", BASE, base as fn(&_) -> i32),
        ("weight", WEIGHT, weight),
    ] {
        if !strategy.iter().all(|item| range.contains(&of(item))) {
            return Err(invalid_parameter(format!(
                "The {name} of a capacity provider must be between {} and {}.",
                range.start(),
                range.end()
            )));
        }
    }
    match strategy.iter().filter(|item| base(item) > 0).count() {
        0 | 1 => Ok(()),
        _ => Err(invalid_parameter(
            "Only one capacity provider in a capacity provider strategy can have a base defined.",
        )),
    }
}

fn base(item: &CapacityProviderStrategyItem) -> i32 {
    item.base.unwrap_or(0)
}

fn weight(item: &CapacityProviderStrategyItem) -> i32 {
    item.weight.unwrap_or(0)
}

/// With AWS's defaults, as answers show it.
fn normal(item: &CapacityProviderStrategyItem) -> CapacityProviderStrategyItem {
    CapacityProviderStrategyItem {
        base: Some(base(item)),
        weight: Some(weight(item)),
        ..item.clone()
    }
}

fn check_associated(
    cluster: &ClusterRecord,
    strategy: &[CapacityProviderStrategyItem],
) -> Result<(), AwsError> {
    let is_of_cluster = |item: &CapacityProviderStrategyItem| {
        let name = item.capacity_provider.as_ref();
        name.is_some_and(|name| cluster.capacity_providers.contains(name))
    };
    match strategy.iter().all(is_of_cluster) {
        true => Ok(()),
        false => Err(invalid_parameter(
            "The specified capacity provider strategy cannot contain a capacity provider that is \
             not associated with the cluster. Associate the capacity provider with the cluster or \
             specify a valid capacity provider and try again.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster;
    use aws_types::{Ctx, Timestamp};

    type Item = (&'static str, Option<i32>, Option<i32>);

    fn items(given: &[Item]) -> Vec<CapacityProviderStrategyItem> {
        let item = |(name, base, weight): &Item| CapacityProviderStrategyItem {
            capacity_provider: Some((*name).into()),
            base: *base,
            weight: *weight,
        };
        given.iter().map(item).collect()
    }

    fn cluster_with(default: &[Item]) -> ClusterRecord {
        let mut cluster = cluster::new(&Ctx::for_tests(1, Timestamp::EPOCH), "blue");
        cluster.capacity_providers = vec!["FARGATE".into(), "FARGATE_SPOT".into()];
        cluster.default_strategy = items(default).into_iter().map(Stored).collect();
        cluster
    }

    fn asked(
        default: &[Item],
        launch_type: Option<&str>,
        given: &[Item],
    ) -> Result<Capacity, String> {
        let cluster = cluster_with(default);
        of(Some(&cluster), launch_type, Some(&items(given))).map_err(|error| error.to_string())
    }

    const SPOT: &[Item] = &[("FARGATE_SPOT", None, Some(1))];
    const FARGATE: &[Item] = &[("FARGATE", None, Some(1))];

    fn capacity((launch_type, strategy): (&str, &[Item])) -> Capacity {
        Capacity {
            launch_type: launch_type.into(),
            strategy: items(strategy).iter().map(normal).collect(),
        }
    }

    #[test]
    fn a_task_set_goes_by_the_clusters_default_before_its_services_launch_type() {
        for (default, launch_type, given, expected) in [
            (&[][..], None, &[][..], ("EXTERNAL", &[][..])),
            (&[], Some("EC2"), &[], ("EC2", &[])),
            (FARGATE, None, &[], ("FARGATE", FARGATE)),
            (FARGATE, Some("EC2"), &[], ("EC2", &[])),
            (FARGATE, None, SPOT, ("FARGATE", SPOT)),
            (&[], None, SPOT, ("FARGATE", SPOT)),
        ] {
            let cluster = cluster_with(default);
            let given = Some(items(given));
            let got = of_task_set(&cluster, "EXTERNAL", launch_type, given.as_ref());
            assert_eq!(
                got.ok(),
                Some(capacity(expected)),
                "{launch_type:?} {given:?}"
            );
        }
    }

    #[test]
    fn an_update_changes_what_a_service_goes_by_only_with_a_deployment_that_is_forced() {
        let has = |given: &[Item]| -> Vec<_> {
            let all = items(given);
            all.iter().map(normal).map(Stored).collect()
        };
        let update = |launch_type, present: &[Item], asked: Option<&[Item]>, is_forced| {
            let asked = asked.map(items);
            let present = (launch_type, &has(present)[..]);
            let got = of_update(&cluster_with(SPOT), present, asked.as_ref(), is_forced);
            got.map_err(|error| error.message().to_owned())
        };
        for (launch_type, present, asked, expected) in [
            ("EC2", &[][..], None, None),
            ("EC2", &[], Some(&[][..]), None),
            ("FARGATE", SPOT, None, None),
            ("FARGATE", SPOT, Some(SPOT), None),
            // With AWS's defaults it is the same.
            (
                "FARGATE",
                SPOT,
                Some(&[("FARGATE_SPOT", Some(0), Some(1))]),
                None,
            ),
            ("EC2", &[], Some(FARGATE), Some(("FARGATE", FARGATE))),
            ("FARGATE", SPOT, Some(FARGATE), Some(("FARGATE", FARGATE))),
            ("FARGATE", SPOT, Some(&[]), Some(("FARGATE", &[]))),
        ] {
            let forced = update(launch_type, present, asked, true);
            assert_eq!(forced, Ok(expected.map(capacity)), "{present:?} {asked:?}");
            let unforced = update(launch_type, present, asked, false);
            match expected {
                None => assert_eq!(unforced, Ok(None), "{present:?} {asked:?}"),
                Some(_) => {
                    let text = unforced.unwrap_err();
                    assert!(text.ends_with("you must force a new deployment."), "{text}");
                }
            }
        }
        let unknown = update("EC2", &[], Some(&[("mine", None, Some(1))]), true).unwrap_err();
        assert!(
            unknown.contains("not associated with the cluster"),
            "{unknown}"
        );
        let negative = update("EC2", &[], Some(&[("FARGATE", Some(-1), Some(1))]), true);
        let negative = negative.unwrap_err();
        assert!(
            negative.starts_with("The base of a capacity provider"),
            "{negative}"
        );
    }

    #[test]
    fn the_calls_own_counts_before_the_clusters_default() {
        const BOTH: &[Item] = &[
            ("FARGATE", Some(1), Some(1)),
            ("FARGATE_SPOT", None, Some(4)),
        ];
        for (default, launch_type, given, expected) in [
            (&[][..], None, &[][..], ("EC2", &[][..])),
            (&[], Some("FARGATE"), &[], ("FARGATE", &[])),
            (BOTH, Some("EC2"), &[], ("EC2", &[])),
            (BOTH, None, &[], ("FARGATE", BOTH)),
            (BOTH, None, SPOT, ("FARGATE", SPOT)),
            (&[], None, SPOT, ("FARGATE", SPOT)),
        ] {
            assert_eq!(asked(default, launch_type, given), Ok(capacity(expected)));
        }
    }

    #[test]
    fn a_strategy_that_cannot_be_followed_gets_awss_text() {
        let weightless = |whose: &str| {
            format!(
                "There are no capacity providers with a weight value greater than zero defined in \
                 the {whose} capacity provider strategy. At least one capacity provider must have \
                 a weight value greater than zero specified. Update the cluster's default capacity \
                 provider strategy or specify a valid capacity provider strategy and try again."
            )
        };
        let text = |text: &str| text.to_owned();
        let one = |base, weight| -> Vec<Item> { vec![("FARGATE", base, weight)] };
        for (default, launch_type, given, expected) in [
            (
                vec![],
                Some("FARGATE"),
                one(None, Some(1)),
                text("Specify either Launch Type or Capacity Provider Strategy, but not both."),
            ),
            (vec![], None, one(None, None), weightless("specified")),
            (one(None, None), None, vec![], weightless("default")),
            (
                vec![],
                None,
                vec![("mine", None, Some(1))],
                text(
                    "The specified capacity provider strategy cannot contain a capacity provider \
                     that is not associated with the cluster. Associate the capacity provider with \
                     the cluster or specify a valid capacity provider and try again.",
                ),
            ),
            (
                vec![],
                None,
                one(None, Some(1001)),
                text("The weight of a capacity provider must be between 0 and 1000."),
            ),
            (
                vec![],
                None,
                one(Some(-1), Some(1)),
                text("The base of a capacity provider must be between 0 and 100000."),
            ),
            (
                vec![],
                None,
                [one(Some(1), Some(1)), one(Some(1), Some(1))].concat(),
                text(
                    "Only one capacity provider in a capacity provider strategy can have a base \
                     defined.",
                ),
            ),
            (
                vec![],
                None,
                one(None, Some(1)).repeat(21),
                text(
                    "A capacity provider strategy cannot contain more than 20 capacity providers.",
                ),
            ),
        ] {
            let got = asked(&default, launch_type, &given);
            assert_eq!(got, Err(format!("InvalidParameterException: {expected}")));
        }
    }
}
