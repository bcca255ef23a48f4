//! What a service may ask for that is not built yet: each is refused with its name, never ignored.
//!
//! Whoever builds one deletes its row.

use super::run_task::not_yet;
use super::{any, invalid_parameter};
use aws_api::ecs::{
    CreateServiceRequest, CreateTaskSetRequest, GatewayConnector, LoadBalancer, LogConfiguration,
    MonitoringConfiguration, ServiceConnectConfiguration, ServiceConnectService, ServiceRegistry,
    ServiceVolumeConfiguration, UpdateServiceRequest, VpcLatticeConfiguration,
};
use aws_types::AwsError;

/// What CreateService, UpdateService and CreateTaskSet have in common.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    launch_type: Option<&'a str>,
    load_balancers: Option<&'a Vec<LoadBalancer>>,
    registries: Option<&'a Vec<ServiceRegistry>>,
    connect: Option<&'a ServiceConnectConfiguration>,
    volumes: Option<&'a Vec<ServiceVolumeConfiguration>>,
    lattice: Option<&'a Vec<VpcLatticeConfiguration>>,
    gateways: Option<&'a Vec<GatewayConnector>>,
    monitoring: Option<&'a MonitoringConfiguration>,
}

impl<'a> From<&'a CreateServiceRequest> for Asked<'a> {
    fn from(input: &'a CreateServiceRequest) -> Self {
        Self {
            launch_type: input.launch_type.as_deref(),
            load_balancers: input.load_balancers.as_ref(),
            registries: input.service_registries.as_ref(),
            connect: input.service_connect_configuration.as_ref(),
            volumes: input.volume_configurations.as_ref(),
            lattice: input.vpc_lattice_configurations.as_ref(),
            gateways: input.gateway_connectors.as_ref(),
            monitoring: input.monitoring.as_ref(),
        }
    }
}

impl<'a> From<&'a UpdateServiceRequest> for Asked<'a> {
    fn from(input: &'a UpdateServiceRequest) -> Self {
        Self {
            launch_type: None,
            load_balancers: input.load_balancers.as_ref(),
            registries: input.service_registries.as_ref(),
            connect: input.service_connect_configuration.as_ref(),
            volumes: input.volume_configurations.as_ref(),
            lattice: input.vpc_lattice_configurations.as_ref(),
            gateways: input.gateway_connectors.as_ref(),
            monitoring: input.monitoring.as_ref(),
        }
    }
}

impl<'a> From<&'a CreateTaskSetRequest> for Asked<'a> {
    fn from(input: &'a CreateTaskSetRequest) -> Self {
        Self {
            launch_type: input.launch_type.as_deref(),
            load_balancers: input.load_balancers.as_ref(),
            registries: input.service_registries.as_ref(),
            ..Self::default()
        }
    }
}

/// A member that is refused, as the API names it, and whether a request asks for it.
#[derive(Debug)]
pub struct Row {
    /// The member's path in the request.
    pub member: &'static str,
    /// Of a member that is built in part: what of it is not, in words; else empty.
    pub when: &'static str,
    asks: fn(&Asked<'_>) -> bool,
}

/// Every member of a service that is refused.
pub const ROWS: &[Row] = &[
    row_when("launchType", "another than EC2 and FARGATE", |asked| {
        let given = asked.launch_type;
        given.is_some_and(|given| !matches!(given, "EC2" | "FARGATE"))
    }),
    row("loadBalancers", |asked| any(asked.load_balancers)),
    row_when(
        "serviceConnectConfiguration.logConfiguration.logDriver",
        "another than `awslogs` and `json-file`",
        |asked| {
            let driver = access_log(asked).and_then(|log| log.log_driver.as_deref());
            driver.is_some_and(|driver| !["awslogs", "json-file"].contains(&driver))
        },
    ),
    row(
        "serviceConnectConfiguration.logConfiguration.secretOptions",
        |asked| access_log(asked).is_some_and(|log| any(log.secret_options.as_ref())),
    ),
    row("serviceConnectConfiguration.services.tls", |asked| {
        exposed(asked).any(|service| service.tls.is_some())
    }),
    row(
        "serviceConnectConfiguration.services.clientAliases.testTrafficRules",
        |asked| {
            let mut aliases = exposed(asked).flat_map(|one| one.client_aliases.iter().flatten());
            aliases.any(|alias| alias.test_traffic_rules.is_some())
        },
    ),
    row("volumeConfigurations", |asked| any(asked.volumes)),
    row("vpcLatticeConfigurations", |asked| any(asked.lattice)),
    row("gatewayConnectors", |asked| any(asked.gateways)),
    row("monitoring", |asked| asked.monitoring.is_some()),
];

fn exposed<'a>(asked: &Asked<'a>) -> impl Iterator<Item = &'a ServiceConnectService> + use<'a> {
    let services = asked.connect.and_then(|connect| connect.services.as_ref());
    services.into_iter().flatten()
}

/// Where an access log is to go.
fn access_log<'a>(asked: &Asked<'a>) -> Option<&'a LogConfiguration> {
    let connect = asked.connect?;
    connect.access_log_configuration.as_ref()?;
    connect.log_configuration.as_ref()
}

const fn row(member: &'static str, asks: fn(&Asked<'_>) -> bool) -> Row {
    row_when(member, "", asks)
}

const fn row_when(member: &'static str, when: &'static str, asks: fn(&Asked<'_>) -> bool) -> Row {
    Row { member, when, asks }
}

/// The form of what is asked for, then whether it is built.
///
/// # Errors
/// `InvalidParameterException` for a bad form; `ClientException` for what is not built.
pub fn check(asked: Asked<'_>) -> Result<(), AwsError> {
    match asked.launch_type {
        None | Some("EC2" | "FARGATE" | "EXTERNAL" | "MANAGED_INSTANCES") => {}
        Some(_) => {
            return Err(invalid_parameter(
                "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]",
            ));
        }
    }
    if asked.registries.is_some_and(|given| given.len() > 1) {
        return Err(invalid_parameter(
            "Service registries cannot have more than 1 items.",
        ));
    }
    if let Some(row) = ROWS.iter().find(|row| (row.asks)(&asked)) {
        return Err(not_yet(row.member));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::Stored;
    use serde_json::json;

    #[test]
    fn every_row_is_asked_for_by_something_and_says_its_name() {
        let samples = [
            json!({"launchType": "EXTERNAL"}),
            json!({"loadBalancers": [{"containerName": "a"}]}),
            json!({"serviceConnectConfiguration": {"enabled": true, "accessLogConfiguration": {},
                "logConfiguration": {"logDriver": "splunk"}}}),
            json!({"serviceConnectConfiguration": {"enabled": true, "accessLogConfiguration": {},
                "logConfiguration": {"logDriver": "awslogs", "secretOptions": [{"name": "a"}]}}}),
            json!({"serviceConnectConfiguration": {"enabled": true, "services": [{"tls": {}}]}}),
            json!({"serviceConnectConfiguration": {"enabled": true, "services": [
                {"clientAliases": [{"port": 80, "testTrafficRules": {}}]}]}}),
            json!({"volumeConfigurations": [{"name": "v"}]}),
            json!({"vpcLatticeConfigurations": [{"portName": "a"}]}),
            json!({"gatewayConnectors": [{}]}),
            json!({"monitoring": {}}),
        ];
        assert_eq!(samples.len(), ROWS.len());
        for (sample, row) in samples.into_iter().zip(ROWS) {
            let input: Stored<CreateServiceRequest> = serde_json::from_value(sample).unwrap();
            let error = check(Asked::from(&input.0)).unwrap_err();
            let expected = format!(
                "ClientException: Longshore does not yet support {}",
                row.member
            );
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn what_asks_for_nothing_is_taken_and_bad_forms_are_told_first() {
        for (given, expected) in [
            (json!({}), None),
            (
                json!({"launchType": "EC2", "loadBalancers": [], "serviceRegistries": []}),
                None,
            ),
            (
                json!({"serviceConnectConfiguration": {"enabled": false}}),
                None,
            ),
            (
                json!({"deploymentConfiguration": {"alarms": {"alarmNames": [], "enable": false}}}),
                None,
            ),
            (
                json!({"launchType": "ec2"}),
                Some("launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]"),
            ),
        ] {
            let input: Stored<CreateServiceRequest> =
                serde_json::from_value(given.clone()).unwrap();
            let got = check(Asked::from(&input.0)).err();
            assert_eq!(got.as_ref().map(AwsError::message), expected, "{given}");
        }
    }
}
