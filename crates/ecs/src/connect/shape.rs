//! Service Connect as answers show it.
//!
//! Rule: API reference, Deployment, ServiceRevision, Attachment `details`.

use crate::records::connect::{ConnectRecord, Exposed};
use crate::records::service::Workload;
use aws_api::ecs::{
    ServiceConnectClientAlias, ServiceConnectConfiguration, ServiceConnectServiceResource,
};
use aws_types::Scope;
use servicediscovery::records::ItemKey;

/// As a deployment shows it: as it was given.
#[must_use]
pub fn given(workload: &Workload) -> Option<ServiceConnectConfiguration> {
    let connect = workload.connect.as_ref()?;
    Some(connect.given.0.clone())
}

/// `serviceConnectResources` of a deployment.
#[must_use]
pub fn resources(scope: &Scope, workload: &Workload) -> Option<Vec<ServiceConnectServiceResource>> {
    let connect = workload.connect.as_ref()?;
    let shown = connect.exposed.iter().map(|one| {
        let key = ItemKey::new(scope, &one.endpoint.service);
        ServiceConnectServiceResource {
            discovery_name: Some(one.endpoint.discovery.clone()),
            discovery_arn: Some(key.arn()),
        }
    });
    Some(shown.collect())
}

/// As a revision shows it: names resolved.
#[must_use]
pub fn resolved(scope: &Scope, workload: &Workload) -> ServiceConnectConfiguration {
    let Some(connect) = &workload.connect else {
        return ServiceConnectConfiguration {
            enabled: Some(false),
            ..ServiceConnectConfiguration::default()
        };
    };
    let ConnectRecord {
        given,
        namespace,
        exposed,
    } = connect.as_ref();
    let mut shown = given.0.clone();
    shown.namespace = Some(ItemKey::new(scope, namespace).arn());
    for (service, exposed) in shown.services.iter_mut().flatten().zip(exposed) {
        service.discovery_name = Some(exposed.endpoint.discovery.clone());
        service.client_aliases = Some(vec![alias(exposed)]);
    }
    shown
}

/// With the default name filled in.
#[must_use]
pub fn alias(exposed: &Exposed) -> ServiceConnectClientAlias {
    ServiceConnectClientAlias {
        dns_name: Some(exposed.endpoint.name.clone()),
        port: Some(exposed.endpoint.port.into()),
        test_traffic_rules: None,
    }
}
