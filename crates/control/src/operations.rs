//! Every service's operations and tables, in one place.

use iam::Operation;
use std::collections::BTreeMap;
use store::{Schema, TableDefinition};

/// The operations of all services, by service and name.
#[must_use]
pub fn operations() -> BTreeMap<(&'static str, &'static str), Operation> {
    [
        ecs::ops::operations(),
        iam::ops::operations(),
        telemetry::ops::operations(),
        events::ops::operations(),
        ec2::ops::operations(),
        servicediscovery::ops::operations(),
    ]
    .into_iter()
    .flatten()
    .map(|operation| ((operation.service(), operation.name()), operation))
    .collect()
}

/// The schema of the state: all tables, and what ends every transaction.
#[must_use]
pub fn schema() -> Schema {
    Schema::new(&tables()).with_finish(ecs::finish::finish)
}

/// The tables of all services.
#[must_use]
pub fn tables() -> Vec<&'static dyn TableDefinition> {
    [
        ecs::records::tables(),
        iam::records::tables(),
        telemetry::records::tables(),
        events::records::tables(),
        ec2::records::tables(),
        servicediscovery::records::tables(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_of_the_allow_list_is_served_and_nothing_else() {
        let served: Vec<_> = operations().into_keys().collect();
        let mut listed: Vec<_> = aws_api::SERVICES
            .iter()
            .flat_map(|service| {
                service
                    .operations
                    .iter()
                    .map(|operation| (service.name, operation.name))
            })
            .collect();
        listed.sort_unstable();
        assert_eq!(served, listed);
    }
}
