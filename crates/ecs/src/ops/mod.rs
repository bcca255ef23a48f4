//! The API's operations, one file each, and the table of them; nothing else.

pub mod continue_service_deployment;
pub mod create_cluster;
pub mod create_service;
pub mod create_task_set;
pub mod delete_account_setting;
pub mod delete_attributes;
pub mod delete_cluster;
pub mod delete_service;
pub mod delete_task_definitions;
pub mod delete_task_set;
pub mod deregister_container_instance;
pub mod deregister_task_definition;
pub mod describe_clusters;
pub mod describe_container_instances;
pub mod describe_service_deployments;
pub mod describe_service_revisions;
pub mod describe_services;
pub mod describe_task_definition;
pub mod describe_task_sets;
pub mod describe_tasks;
pub mod discover_poll_endpoint;
pub mod get_task_protection;
pub mod list_account_settings;
pub mod list_attributes;
pub mod list_clusters;
pub mod list_container_instances;
pub mod list_service_deployments;
pub mod list_services;
pub mod list_services_by_namespace;
pub mod list_tags_for_resource;
pub mod list_task_definition_families;
pub mod list_task_definitions;
pub mod list_tasks;
pub mod put_account_setting;
pub mod put_account_setting_default;
pub mod put_attributes;
pub mod register_container_instance;
pub mod register_task_definition;
pub mod run_task;
pub mod start_task;
pub mod stop_service_deployment;
pub mod stop_task;
pub mod submit_attachment_state_changes;
pub mod submit_container_state_change;
pub mod submit_task_state_change;
pub mod tag_resource;
pub mod untag_resource;
pub mod update_cluster;
pub mod update_cluster_settings;
pub mod update_container_agent;
pub mod update_container_instances_state;
pub mod update_service;
pub mod update_service_primary_task_set;
pub mod update_task_protection;
pub mod update_task_set;

use aws_api::ecs::operations as api;
use iam::Operation;

/// Every operation of this crate, by name, with what it asks for.
#[must_use]
pub fn operations() -> Vec<Operation> {
    let mut all = clusters();
    all.extend(task_definitions());
    all.extend(tags());
    all.extend(tasks());
    all.extend(instances());
    all.extend(attributes());
    all.extend(account_settings());
    all.extend(services());
    all.extend(task_sets());
    all.extend(service_deployments());
    all
}

fn clusters() -> Vec<Operation> {
    vec![
        Operation::write::<api::CreateCluster>(
            create_cluster::authorisation,
            create_cluster::create_cluster,
        ),
        Operation::write::<api::DeleteCluster>(
            delete_cluster::authorisation,
            delete_cluster::delete_cluster,
        ),
        Operation::read::<api::DescribeClusters>(
            describe_clusters::authorisation,
            describe_clusters::describe_clusters,
        ),
        Operation::read::<api::ListClusters>(
            list_clusters::authorisation,
            list_clusters::list_clusters,
        ),
        Operation::write::<api::UpdateCluster>(
            update_cluster::authorisation,
            update_cluster::update_cluster,
        ),
        Operation::write::<api::UpdateClusterSettings>(
            update_cluster_settings::authorisation,
            update_cluster_settings::update_cluster_settings,
        ),
        Operation::write::<api::SubmitAttachmentStateChanges>(
            submit_attachment_state_changes::authorisation,
            submit_attachment_state_changes::submit_attachment_state_changes,
        ),
    ]
}

fn task_definitions() -> Vec<Operation> {
    vec![
        Operation::write::<api::RegisterTaskDefinition>(
            register_task_definition::authorisation,
            register_task_definition::register_task_definition,
        ),
        Operation::read::<api::DescribeTaskDefinition>(
            describe_task_definition::authorisation,
            describe_task_definition::describe_task_definition,
        ),
        Operation::write::<api::DeregisterTaskDefinition>(
            deregister_task_definition::authorisation,
            deregister_task_definition::deregister_task_definition,
        ),
        Operation::write::<api::DeleteTaskDefinitions>(
            delete_task_definitions::authorisation,
            delete_task_definitions::delete_task_definitions,
        ),
        Operation::read::<api::ListTaskDefinitions>(
            list_task_definitions::authorisation,
            list_task_definitions::list_task_definitions,
        ),
        Operation::read::<api::ListTaskDefinitionFamilies>(
            list_task_definition_families::authorisation,
            list_task_definition_families::list_task_definition_families,
        ),
    ]
}

fn tags() -> Vec<Operation> {
    vec![
        Operation::write::<api::TagResource>(
            tag_resource::authorisation,
            tag_resource::tag_resource,
        ),
        Operation::write::<api::UntagResource>(
            untag_resource::authorisation,
            untag_resource::untag_resource,
        ),
        Operation::read::<api::ListTagsForResource>(
            list_tags_for_resource::authorisation,
            list_tags_for_resource::list_tags_for_resource,
        ),
    ]
}

fn tasks() -> Vec<Operation> {
    vec![
        Operation::write::<api::RunTask>(run_task::authorisation, run_task::run_task),
        Operation::write::<api::StartTask>(start_task::authorisation, start_task::start_task),
        Operation::write::<api::StopTask>(stop_task::authorisation, stop_task::stop_task),
        Operation::read::<api::DescribeTasks>(
            describe_tasks::authorisation,
            describe_tasks::describe_tasks,
        ),
        Operation::read::<api::ListTasks>(list_tasks::authorisation, list_tasks::list_tasks),
        Operation::read::<api::GetTaskProtection>(
            get_task_protection::authorisation,
            get_task_protection::get_task_protection,
        ),
        Operation::write::<api::UpdateTaskProtection>(
            update_task_protection::authorisation,
            update_task_protection::update_task_protection,
        ),
        Operation::write::<api::SubmitTaskStateChange>(
            submit_task_state_change::authorisation,
            submit_task_state_change::submit_task_state_change,
        ),
        Operation::write::<api::SubmitContainerStateChange>(
            submit_container_state_change::authorisation,
            submit_container_state_change::submit_container_state_change,
        ),
    ]
}

fn instances() -> Vec<Operation> {
    vec![
        Operation::write::<api::DeregisterContainerInstance>(
            deregister_container_instance::authorisation,
            deregister_container_instance::deregister_container_instance,
        ),
        Operation::read::<api::DescribeContainerInstances>(
            describe_container_instances::authorisation,
            describe_container_instances::describe_container_instances,
        ),
        Operation::read::<api::DiscoverPollEndpoint>(
            discover_poll_endpoint::authorisation,
            discover_poll_endpoint::discover_poll_endpoint,
        ),
        Operation::read::<api::ListContainerInstances>(
            list_container_instances::authorisation,
            list_container_instances::list_container_instances,
        ),
        Operation::read::<api::UpdateContainerAgent>(
            update_container_agent::authorisation,
            update_container_agent::update_container_agent,
        ),
        Operation::write::<api::UpdateContainerInstancesState>(
            update_container_instances_state::authorisation,
            update_container_instances_state::update_container_instances_state,
        ),
        Operation::write::<api::RegisterContainerInstance>(
            register_container_instance::authorisation,
            register_container_instance::register_container_instance,
        ),
    ]
}

fn account_settings() -> Vec<Operation> {
    vec![
        Operation::write::<api::DeleteAccountSetting>(
            delete_account_setting::authorisation,
            delete_account_setting::delete_account_setting,
        ),
        Operation::read::<api::ListAccountSettings>(
            list_account_settings::authorisation,
            list_account_settings::list_account_settings,
        ),
        Operation::write::<api::PutAccountSetting>(
            put_account_setting::authorisation,
            put_account_setting::put_account_setting,
        ),
        Operation::write::<api::PutAccountSettingDefault>(
            put_account_setting_default::authorisation,
            put_account_setting_default::put_account_setting_default,
        ),
    ]
}

fn attributes() -> Vec<Operation> {
    vec![
        Operation::write::<api::DeleteAttributes>(
            delete_attributes::authorisation,
            delete_attributes::delete_attributes,
        ),
        Operation::read::<api::ListAttributes>(
            list_attributes::authorisation,
            list_attributes::list_attributes,
        ),
        Operation::write::<api::PutAttributes>(
            put_attributes::authorisation,
            put_attributes::put_attributes,
        ),
    ]
}

fn services() -> Vec<Operation> {
    vec![
        Operation::write::<api::CreateService>(
            create_service::authorisation,
            create_service::create_service,
        ),
        Operation::write::<api::UpdateService>(
            update_service::authorisation,
            update_service::update_service,
        ),
        Operation::write::<api::DeleteService>(
            delete_service::authorisation,
            delete_service::delete_service,
        ),
        Operation::read::<api::DescribeServices>(
            describe_services::authorisation,
            describe_services::describe_services,
        ),
        Operation::read::<api::ListServices>(
            list_services::authorisation,
            list_services::list_services,
        ),
        Operation::read::<api::ListServicesByNamespace>(
            list_services_by_namespace::authorisation,
            list_services_by_namespace::list_services_by_namespace,
        ),
    ]
}

fn task_sets() -> Vec<Operation> {
    vec![
        Operation::write::<api::CreateTaskSet>(
            create_task_set::authorisation,
            create_task_set::create_task_set,
        ),
        Operation::write::<api::UpdateTaskSet>(
            update_task_set::authorisation,
            update_task_set::update_task_set,
        ),
        Operation::write::<api::DeleteTaskSet>(
            delete_task_set::authorisation,
            delete_task_set::delete_task_set,
        ),
        Operation::read::<api::DescribeTaskSets>(
            describe_task_sets::authorisation,
            describe_task_sets::describe_task_sets,
        ),
        Operation::write::<api::UpdateServicePrimaryTaskSet>(
            update_service_primary_task_set::authorisation,
            update_service_primary_task_set::update_service_primary_task_set,
        ),
    ]
}

fn service_deployments() -> Vec<Operation> {
    vec![
        Operation::read::<api::ListServiceDeployments>(
            list_service_deployments::authorisation,
            list_service_deployments::list_service_deployments,
        ),
        Operation::read::<api::DescribeServiceDeployments>(
            describe_service_deployments::authorisation,
            describe_service_deployments::describe_service_deployments,
        ),
        Operation::read::<api::DescribeServiceRevisions>(
            describe_service_revisions::authorisation,
            describe_service_revisions::describe_service_revisions,
        ),
        Operation::write::<api::StopServiceDeployment>(
            stop_service_deployment::authorisation,
            stop_service_deployment::stop_service_deployment,
        ),
        Operation::write::<api::ContinueServiceDeployment>(
            continue_service_deployment::authorisation,
            continue_service_deployment::continue_service_deployment,
        ),
    ]
}
