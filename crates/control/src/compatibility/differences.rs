//! Where Longshore knowingly does otherwise than AWS: a topic, and what is different.
//!
//! Whoever removes a difference removes its row.

/// What is different, in one paragraph each.
pub const DIFFERENCES: &[(&str, &str)] = &[
    (
        "Launch types",
        "EC2 and FARGATE, and strategies of the capacity providers FARGATE and FARGATE_SPOT, a cluster's default \
         among them. FARGATE_SPOT runs on the hosts of FARGATE and interrupts nothing. No other provider can be made. \
         An UpdateService whose empty strategy ends one goes back to the providers' launch type, FARGATE. EXTERNAL and \
         MANAGED_INSTANCES are refused when a task starts or a service is made.",
    ),
    (
        "Callers",
        "Until IAM is served there is the root user, who may do everything, one key for each host, \
         which may do what its agent needs, and the credentials of each task's roles. A task role may \
         call GetCallerIdentity and ask after the protection of its own task; an execution role \
         GetCallerIdentity alone; anything else is `AccessDeniedException`. A role need not exist: any name or ARN of the \
         account will do, and its unique id follows from the ARN. Other roles in requests are stored \
         and shown.",
    ),
    (
        "Credentials of tasks",
        "Good for six hours, made anew each three. They end with their task, where AWS's live on until \
         they expire. A container of network mode `host` fetches them at 127.0.0.1, by \
         `AWS_CONTAINER_CREDENTIALS_FULL_URI`. `AWS_ENDPOINT_URL` is set besides (docs/task-roles.md).",
    ),
    (
        "Instance metadata",
        "Only where longshore.toml asks for it (docs/instances.md), without credentials, user data and the signature \
         of the identity document. Tasks on the bridge do not reach that of a cloud's machine below either.",
    ),
    (
        "Network interfaces of an instance",
        "A machine has no limit unless longshore.toml gives it a type or a number (docs/instances.md). A trunk is \
         had from the next registration on, not only by a new instance; it shows as `ecs.awsvpc-trunk-id` alone.",
    ),
    (
        "A task's interface",
        "No elastic address can be associated with it: `OperationNotPermitted`. AWS documents that an account cannot          modify the interfaces of tasks (ECS developer guide, \"Allocate a network interface for an Amazon ECS task\") and          has an open request for it (containers-roadmap 311); the code is EC2's, the text ours. `assignPublicIp` gives a          public address of the pool.",
    ),
    (
        "DHCP options",
        "`domain-name` and `domain-name-servers` stand in `/etc/resolv.conf` of tasks that start from then on.          `ntp-servers`, `netbios-name-servers`, `netbios-node-type` and `ipv6-address-preferred-lease-time` are          stored and shown: no task asks by DHCP.",
    ),
    (
        "VPC endpoints and peering",
        "An endpoint is a record with, for an interface endpoint, interfaces and addresses: no packet is taken there and          no private DNS name leads to one. Tasks reach the API by `AWS_ENDPOINT_URL` (docs/task-roles.md), whatever the          routes. VPC peering is not served: `InvalidAction`.",
    ),
    (
        "Cloud Map",
        "Public DNS namespaces, Route 53 health checks, alias \
         targets and service attributes are refused. An operation is SUCCESS when its call is answered; \
         the newest 1,000 are kept. Of more than eight healthy instances a name leads to the same eight; \
         WEIGHTED is answered like MULTIVALUE. Of two zones of one name in two VPCs, DiscoverInstances knows \
         the second by its name with its id behind. ECS announces a task with a health check when that first \
         passes, not before; a task passes ACTIVATING and DEACTIVATING in one transaction, unseen.",
    ),
    (
        "TLS",
        "On a loopback address the API is plain HTTP unless `--tls-cert` and `--tls-key` are given; beyond \
         it HTTPS, by that certificate or by an authority of this Longshore's own, whose certificate \
         `longshore env` exports as `AWS_CA_BUNDLE`.",
    ),
    (
        "runtimePlatform on instances",
        "A definition that names its `cpuArchitecture` goes to instances that register it as \
         `ecs.cpu-architecture`, or that register none and have no identity document that says it: AWS \
         knows the type of its instances, where such a one is here taken at its user's word.",
    ),
    (
        "swappiness",
        "Without effect on hosts with cgroup v2, which has one value for the whole host.",
    ),
    (
        "Labels of Docker volumes",
        "Shown by `longshore ps --json` beside the container's own, as there is no Docker to ask.",
    ),
    (
        "Stopped tasks",
        "Described for one hour; longer with `stopped_tasks_visible = \"24h\"` in longshore.toml, \
         or `--stopped-tasks-visible 24h`. AWS says \"at least one hour\". Tags stay on a stopped \
         task as long, where AWS's reference says that StopTask deletes them.",
    ),
    (
        "INACTIVE clusters, container instances and services",
        "Described for one hour; AWS says \"for a period of time\".",
    ),
    (
        "UpdateContainerAgent",
        "Always an error: the agent is replaced together with the program. \
         `NoUpdateAvailableException`, or `MissingVersionException` where an agent never said its \
         version.",
    ),
    ("Task protection", "GetTaskProtection needs `tasks`."),
    (
        "Services",
        "`desiredCount` left out is 0. `healthCheckGracePeriodSeconds` is taken without a load \
         balancer, as it covers container health checks too, and shown only where it was given. \
A deployment controller cannot be changed.",
    ),
    (
        "Service Connect",
        "The proxy is a process of the host's, not a container: a task shows the attachment `Service Connect`, and no \
         container `ecs-service-connect-…`; `logConfiguration` carries the access logs; `containerConfigurations` are checked and \
         shown. A server has a proxy of its own only with \
         `ingressPortOverride`, which carries bytes whatever the protocol, and is refused in network mode \
         `bridge`. Also refused: TLS, `testTrafficRules`, and `services` under a deployment strategy other than \
         ROLLING. Names lead to IPv4 addresses alone. All tasks of a host share one proxy process, which outlives the \
         agent; connections through it end with that process alone, and who connects while there is none waits for \
         the next. Metrics go with TCS once a minute and are counted for \
         `longshore why`. Where no recording of AWS's error text is known to us, \
         the error's code is AWS's and the text is ours.",
    ),
    (
        "Deployment strategies",
        "BLUE_GREEN, LINEAR and CANARY go through all stages and show the traffic weights; without \
         load balancers no traffic moves. The first deployment of a service has nothing to shift \
         from and no bake time. A rollback makes the deployment that was kept PRIMARY again, under \
         its own id, and calls no hook. Hooks belong to these strategies, not to ROLLING.",
    ),
    (
        "Deployment alarms",
        "Told at once, not polled. They count from the first task of the deployment that is RUNNING to the end \
         of its bake time, which is the longest that one of them looks back (period times evaluation periods): \
         how AWS computes it is not documented. With one in ALARM when a deployment begins, it watches none \
         and shows `DISABLED`. A name that no alarm has is taken and never rings. `rolloutStateReason` of the \
         deployment that rolls back is ours.",
    ),
    (
        "CodeDeploy",
        "Not served: a call such as those of `aws ecs deploy` is answered as one of an unknown service. A \
         service whose controller is CODE_DEPLOY is driven by its task sets.",
    ),
    (
        "Lifecycle hooks",
        "An AWS_LAMBDA hook's `hookTargetArn` names a target that the operator declared in \
         longshore.toml (docs/hooks.md): a URL or a task. Others are refused. `roleArn` is stored \
         and shown; `hookDetails` are at most 64 KiB.",
    ),
    (
        "States of a task that stops",
        "DEACTIVATING where load is taken away first, then STOPPED: neither STOPPING nor DEPROVISIONING is shown. A task \
         is RUNNING until its containers have ended and its interface is gone.",
    ),
    (
        "GPUs",
        "Of the host's files of the Container Device Interface, in JSON and without hooks (see \
         docs/gpus.md), where AWS's agent asks NVIDIA's runtime. The attributes that name the \
         driver's version are not registered.",
    ),
    (
        "Texts of services, launch types, PutAttributes and account settings",
        "Where no recording of AWS's error text is known to us, the error's code is AWS's and the \
         text is ours: task sets out of place, zone rebalancing that cannot be, stopping an ended \
         deployment, strategies, steps and hooks out of their ranges, what EXTERNAL and MANAGED_INSTANCES do not take, reserved attribute names, malformed attributes, a principal that is none, GPUs that are shared, strategies of capacity providers out of their ranges.",
    ),
    (
        "EventBridge",
        "One bus, `default`. Targets are log groups, ECS clusters and API destinations that the \
         operator declared in longshore.toml, in the rule's own account and region; anything else is \
         refused by PutTargets, and so are parameters of other targets and dead-letter queues, as SQS is not \
         served. `HttpParameters` are taken as they are, without dynamic paths. Roles are checked by their shape alone. A schedule that came due while no server ran \
         fires once when one runs again. A target that is away keeps at most 1,000 events. `accountType` of \
         an instance's event, whose values AWS documents nowhere, is left out. Reasons of \
         `InvalidEventPatternException` are worded as near to AWS's as is known to us.",
    ),
    (
        "CloudWatch",
        "Metrics, and alarms on them. Metric math has `+ - * / ^`, comparisons, AND, OR, ABS, AVG, CEIL, \
         DATAPOINT_COUNT, DIFF, FILL, FLOOR, IF, LOG, LOG10, MAX, METRICS, METRIC_COUNT, MIN, PERIOD, RATE, \
         RUNNING_SUM, STDDEV and SUM; other functions and SEARCH are a ValidationError. Statistics are the five plain ones \
         and percentiles. Dynamic labels are shown as they were given. Anomaly detection (`ThresholdMetricId`), PromQL (`EvaluationCriteria`), \
         `EvaluationWindow`, `WarmUpConfiguration`, `ActionConfiguration` and suppressors of composite alarms' actions are refused, and so is AT_LEAST in their rules. No service that an \
         alarm's action can name is served: each is taken, and noted in the history as failed; EventBridge \
         is told. History keeps 100 items an alarm, 20,000 in all. Where no recording of AWS's error text \
         is known to us, the error's code is AWS's and the text is ours.",
    ),
    (
        "Metrics of ECS",
        "`AWS/ECS`; of Container Insights the CPU, memory, storage and count metrics by cluster, service and \
         family, not those by task and container nor of the network, and no performance log events. A minute within which the server was killed is told in part. Service \
         Connect's metrics are those of the clients' proxies, with the client's ServiceName.",
    ),
    (
        "EC2",
        "Networking, and launch templates, of which the instance type alone has an effect (docs/instances.md). Each region has three zones. Public addresses are of 100.64.0.0/16, or of the \
         next range within 100.64.0.0/10 to which no route of the server's machine led at the first start, IPv6 ranges of fd10::/16 (RFC 4193). What takes AWS a while is done at once: nothing stays \
         `pending`. `EnableDns64`, `EnableNetworkAddressUsageMetrics`, the host name type \
         `resource-name` and its two records are stored and shown, and without effect. `DryRun` runs all checks of the call, also those that AWS leaves out. Parameters \
         that are not served (IPAM, Outposts, prefix delegation, connection tracking, encryption \
         controls) answer `UnsupportedOperation`. Where no recording of AWS's error text is known to \
         us, the error's code is AWS's and the text is ours.",
    ),
    (
        "Task metadata",
        "`ClockDrift` is left out: the clock is the host's, and who keeps it is not known. A published port is told \
         once, at `0.0.0.0`, and not at `::` too: ports are published for IPv4 alone. \
         `SubnetGatewayIpv6Address` is `fe80::1/64`, the link's address of each VPC's router.",
    ),
    (
        "guardDutyActivate",
        "Always `off`, and read-only, as on AWS without GuardDuty.",
    ),
    (
        "ListTasks by daemon",
        "Always `ServiceNotFoundException`: there are none.",
    ),
    (
        "Health of container instances",
        "`healthStatus` is always `INSUFFICIENT_DATA`.",
    ),
];
