//! What to run: a task and its parts, as payloads carry them.

use super::{docker::DockerConfig, frame};
use std::collections::BTreeMap;

frame! {
    /// A task. A stop needs the ARN and the desired status only.
    Task {
        arn: String,
        task_cluster_arn: String,
        family: String,
        version: String,
        /// `RUNNING` or `STOPPED`.
        desired_status: String,
        /// A JSON text, ignored by the agent at task level.
        overrides: String,
        containers: Vec<Container>,
        volumes: Vec<Volume>,
        role_credentials: IamRoleCredentials,
        execution_role_credentials: IamRoleCredentials,
        elastic_network_interfaces: Vec<Eni>,
        /// In vCPUs: 0.25 is a quarter.
        cpu: f64,
        /// MiB.
        memory: i64,
        associations: Vec<Association>,
        pid_mode: String,
        ipc_mode: String,
        proxy_configuration: ProxyConfiguration,
        agent_configuration: String,
        launch_type: String,
        attachments: Vec<Attachment>,
        /// `bridge` (also when empty), `host`, `awsvpc`, `none`.
        network_mode: String,
        service_name: String,
        group: String,
        zone: String,
        task_definition_account_id: String,
        enable_fault_injection: bool,
        trusted_execution_configuration: TrustedExecutionConfiguration,
        /// Ours; other agents skip it.
        longshore: Longshore,
    }
    /// What our own agent gets beside the public protocol.
    Longshore {
        /// Ties the agent's log lines to the request that started the task.
        trace_id: String,
        /// Names the placement decision in the decision log.
        decision_id: String,
        /// Manifest digest by container name: equal for all tasks of a service revision.
        image_digests: BTreeMap<String, String>,
        /// Most GiB that the containers of a FARGATE task may write, all together.
        ephemeral_storage_gib: i64,
        /// What its proxy listens on, of a task with Service Connect.
        service_connect: ServiceConnect,
    }
    /// The proxy of a task.
    ServiceConnect {
        /// Endpoints that it reaches by name.
        listeners: Vec<ConnectListener>,
        /// Ports at which it takes what is for a container.
        ingress: Vec<ConnectIngress>,
        /// Where it says who asked for what.
        access_log: ConnectAccessLog,
    }
    /// A log of requests and connections.
    ConnectAccessLog {
        /// `TEXT` or `JSON`.
        format: String,
        /// With what follows the question mark.
        include_query_parameters: bool,
        /// The log driver.
        driver: String,
        /// Its options, as a container's.
        options: BTreeMap<String, String>,
    }
    /// An endpoint of Service Connect in a task.
    ConnectListener {
        /// In `/etc/hosts`.
        name: String,
        /// Of 127.255/16.
        address: String,
        port: i64,
        discovery_name: String,
        /// The id of its row in host sync.
        endpoint: String,
        /// `tcp`, `http`, `http2`, `grpc`.
        protocol: String,
        /// 0 is none.
        idle_seconds: i64,
        /// 0 is none.
        request_seconds: i64,
    }
    /// A port of the task's own that leads to a container.
    ConnectIngress {
        port: i64,
        container_port: i64,
        discovery_name: String,
        /// `tcp`, `http`, `http2`, `grpc`.
        protocol: String,
        /// 0 is none.
        idle_seconds: i64,
        /// 0 is none.
        request_seconds: i64,
    }
    /// A container.
    Container {
        name: String,
        image: String,
        command: Vec<String>,
        entry_point: Vec<String>,
        /// CPU units (1,024 are one vCPU), as shares.
        cpu: i64,
        /// Hard limit, MiB.
        memory: i64,
        essential: bool,
        environment: BTreeMap<String, String>,
        environment_files: Vec<EnvironmentFile>,
        /// A JSON text; anything but `{}` or a `command` makes the task invalid.
        overrides: String,
        port_mappings: Vec<PortMapping>,
        links: Vec<String>,
        mount_points: Vec<MountPoint>,
        volumes_from: Vec<VolumeFrom>,
        docker_config: DockerConfig,
        /// `docker`, where health is tracked.
        health_check_type: String,
        registry_authentication: RegistryAuthentication,
        /// `ExecutionRole` or absent.
        logs_auth_strategy: String,
        secrets: Vec<Secret>,
        depends_on: Vec<ContainerDependency>,
        /// Seconds.
        start_timeout: i64,
        /// Seconds.
        stop_timeout: i64,
        restart_policy: RestartPolicy,
        firelens_configuration: FirelensConfiguration,
        managed_agents: Vec<ManagedAgent>,
        container_arn: String,
        credential_specs: Vec<String>,
    }
    /// A file of environment variables in S3.
    EnvironmentFile {
        /// Its ARN.
        value: String,
        /// `s3`.
        r#type: String,
    }
    /// A port of a container.
    PortMapping {
        container_port: i64,
        /// 0: the host chooses.
        host_port: i64,
        container_port_range: String,
        /// `tcp` or `udp`.
        protocol: String,
    }
    /// A volume's place in a container.
    MountPoint {
        source_volume: String,
        container_path: String,
        read_only: bool,
    }
    /// All mounts of another container.
    VolumeFrom {
        source_container: String,
        read_only: bool,
    }
    /// How to log in to the image's registry.
    RegistryAuthentication {
        /// `ecr` or `asm`.
        r#type: String,
        ecr_auth_data: EcrAuthData,
        asm_auth_data: AsmAuthData,
    }
    /// Login by ECR.
    EcrAuthData {
        registry_id: String,
        region: String,
        endpoint_override: String,
        use_execution_role: bool,
    }
    /// Login by a secret.
    AsmAuthData {
        credentials_parameter: String,
        region: String,
    }
    /// A secret the container gets.
    Secret {
        name: String,
        value_from: String,
        container_path: String,
        /// `ENVIRONMENT_VARIABLE`, `MOUNT_POINT`, `BOOTSTRAP`.
        r#type: String,
        region: String,
        /// `ssm` or `asm`.
        provider: String,
        /// `CONTAINER` or `LOG_DRIVER`.
        target: String,
    }
    /// What must have happened to another container before this one starts.
    ContainerDependency {
        container_name: String,
        /// `START`, `COMPLETE`, `SUCCESS`, `HEALTHY`.
        condition: String,
    }
    /// Whether the agent restarts an ended container in place.
    RestartPolicy {
        enabled: bool,
        ignored_exit_codes: Vec<i64>,
        /// Seconds.
        restart_attempt_period: i64,
    }
    /// A log router.
    FirelensConfiguration {
        /// `fluentd` or `fluentbit`.
        r#type: String,
        options: BTreeMap<String, String>,
    }
    /// A helper inside the container.
    ManagedAgent {
        /// `ExecuteCommandAgent`.
        name: String,
        properties: BTreeMap<String, String>,
    }
    /// A volume of the task; without a type it is a `host` one.
    Volume {
        name: String,
        /// `host`, `docker`, `efs`, `ebs`, ….
        r#type: String,
        host: VolumeHost,
        docker_volume_configuration: DockerVolumeConfiguration,
        efs_volume_configuration: EfsVolumeConfiguration,
        ebs_volume_configuration: EbsVolumeConfiguration,
    }
    /// A directory of the host; without a path a fresh one for the task.
    VolumeHost {
        source_path: String,
    }
    /// A volume that the runtime keeps.
    DockerVolumeConfiguration {
        /// `task` or `shared`.
        scope: String,
        autoprovision: bool,
        driver: String,
        driver_opts: BTreeMap<String, String>,
        labels: BTreeMap<String, String>,
    }
    /// A network file system.
    EfsVolumeConfiguration {
        file_system_id: String,
        root_directory: String,
        transit_encryption: String,
        transit_encryption_port: i64,
        authorization_config: EfsAuthorizationConfig,
    }
    /// Who mounts it.
    EfsAuthorizationConfig {
        access_point_id: String,
        iam: String,
    }
    /// A block device.
    EbsVolumeConfiguration {
        volume_id: String,
        device_name: String,
        filesystem_type: String,
        delete_on_termination: bool,
    }
    /// A network interface of the task.
    Eni {
        ec2_id: String,
        mac_address: String,
        attachment_arn: String,
        name: String,
        index: i64,
        ipv4_addresses: Vec<Ipv4Address>,
        ipv6_addresses: Vec<Ipv6Address>,
        /// With its prefix length: `10.0.0.1/24`.
        subnet_gateway_ipv4_address: String,
        subnet_gateway_ipv6_address: String,
        private_dns_name: String,
        domain_name: Vec<String>,
        domain_name_servers: Vec<String>,
        /// `default` or `vlan`.
        interface_association_protocol: String,
    }
    /// An address of an interface.
    Ipv4Address {
        private_address: String,
        primary: bool,
    }
    /// An address of an interface.
    Ipv6Address {
        address: String,
        primary: bool,
    }
    /// A device or accelerator of the task.
    Association {
        name: String,
        /// `gpu` or `elastic-inference`.
        r#type: String,
        content: AssociationContent,
        containers: Vec<String>,
    }
    /// What an association holds.
    AssociationContent {
        value: String,
        /// `identity` or `base64`.
        encoding: String,
    }
    /// A proxy container.
    ProxyConfiguration {
        /// `APPMESH`.
        r#type: String,
        container_name: String,
        properties: BTreeMap<String, String>,
    }
    /// Something attached to the task.
    Attachment {
        attachment_arn: String,
        attachment_type: String,
        attachment_properties: Vec<AttachmentProperty>,
    }
    /// A property of an attachment.
    AttachmentProperty {
        name: String,
        value: String,
    }
    /// Isolation of the task.
    TrustedExecutionConfiguration {
        isolation_mode: String,
    }
    /// Keys of a role.
    IamRoleCredentials {
        credentials_id: String,
        role_arn: String,
        access_key_id: String,
        secret_access_key: String,
        session_token: String,
        /// ISO 8601; echoed verbatim.
        expiration: String,
        credential_scope: String,
    }
}
