"""The API of services through boto3 and the AWS CLI against the real binary: which words refuse what, and the shapes of
the CLI's documented examples. What a service runs is another file's; here only the examples' own waits for a task."""

import json

import pytest
import vpc
from botocore.exceptions import ClientError
from harness import eventually
from test_cli_examples import is_not_here, kinds, outputs

CLIENT, PARAMETER = "ClientException", "InvalidParameterException"
NOT_FOUND, NOT_ACTIVE = "ServiceNotFoundException", "ServiceNotActiveException"
ARN = "arn:aws:ecs:us-east-1:000000000000"
TOO_LONG = "Identifier is 256 characters long. The identifier can't be longer than 255 characters."
BLANK_NETWORK = "Network Configuration is not valid for the given `networkMode` of this task definition."
DAEMON_COUNT = ("The daemon scheduling strategy does not support a desired count for services. "
                "Remove the desired count value and try again")
DAEMON_STRATEGY = "The daemon scheduling strategy does not support placement strategies. Remove the placement strategy and try again"
DAEMON_PERCENT = ("The daemon scheduling strategy does not support values above 100 for maximumPercent on a deployment "
                  "configuration. Change the maximumPercent value to 100, and try again")
NO_ROLE = ("The service couldn't be created because a valid taskRoleArn is not being used. Specify a valid task role in your "
           "task definition and try again.")
EXTERNAL = {"deploymentController": {"type": "EXTERNAL"}}
# What the examples show of things that are not built.
OF_OTHERS = ("volumeConfigurations", "taskkDefinition")  # the latter a misprint


@pytest.fixture(scope="module")
def definition(longshore):
    """Two revisions of `web`; the second is the latest."""
    container = {"name": "app", "image": "busybox:test", "memory": 16, "command": ["sleep", "600"]}
    register = lambda: longshore.ecs.register_task_definition(family="web", containerDefinitions=[container])
    register()
    return register()["taskDefinition"]["taskDefinitionArn"]


@pytest.fixture(scope="module")
def services(longshore, definition):
    """`idle` of no task, `ext` of the EXTERNAL controller, `code` of CODE_DEPLOY, `all` a DAEMON on no host."""
    ecs = longshore.ecs
    nowhere = [{"type": "memberOf", "expression": "attribute:nowhere exists"}]
    ecs.create_service(serviceName="idle", taskDefinition="web", desiredCount=0)
    ecs.create_service(serviceName="ext", desiredCount=0, **EXTERNAL)
    ecs.create_service(serviceName="code", taskDefinition="web", desiredCount=0, deploymentController={"type": "CODE_DEPLOY"})
    ecs.create_service(serviceName="all", taskDefinition="web", schedulingStrategy="DAEMON", placementConstraints=nowhere)
    ecs.create_cluster(clusterName="blue")
    return ecs


def refused(call, **asked):
    with pytest.raises(ClientError) as error:
        call(**asked)
    shown = error.value.response["Error"]
    assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return shown["Code"], shown["Message"]


CREATE = [
    (dict(serviceName=""), PARAMETER, "Identifier is empty."),
    (dict(serviceName="a b"), PARAMETER, "Identifier contains invalid characters."),
    (dict(serviceName="a" * 256), PARAMETER, TOO_LONG),
    (dict(serviceName="idle"), PARAMETER, "Creation of service was not idempotent."),
    (dict(cluster="nobody"), "ClusterNotFoundException", "Cluster not found."),
    (dict(taskDefinition="nothing"), CLIENT, "TaskDefinition not found."),
    (dict(taskDefinition=None), CLIENT, "TaskDefinition can not be blank."),
    (dict(desiredCount=-1), PARAMETER, "Desired count cannot be less than 0."),
    (dict(launchType="FARGATE"), PARAMETER, "Task definition does not support launch_type FARGATE"),
    (dict(launchType="EXTERNAL"), CLIENT, "Longshore does not yet support launchType"),
    (dict(launchType="moon"), PARAMETER, "launchType should be one of [EC2,FARGATE,EXTERNAL,MANAGED_INSTANCES]"),
    (dict(launchType="EC2", capacityProviderStrategy=[{"capacityProvider": "a"}]), PARAMETER,
     "Specify either Launch Type or Capacity Provider Strategy, but not both."),
    (dict(capacityProviderStrategy=[{"capacityProvider": "a"}]), PARAMETER,
     "The specified capacity provider strategy cannot contain a capacity provider that is not associated with the cluster. "
     "Associate the capacity provider with the cluster or specify a valid capacity provider and try again."),
    (dict(platformVersion="LATEST"), PARAMETER, "The platform version must be null when specifying an EC2 launch type."),
    (dict(role="r"), PARAMETER, "You cannot specify an IAM role for services that require a service linked role."),
    (dict(networkConfiguration={"awsvpcConfiguration": {"subnets": ["subnet-1"]}}), PARAMETER, BLANK_NETWORK),
    (dict(loadBalancers=[{"containerName": "app", "containerPort": 80}]), CLIENT, "Longshore does not yet support loadBalancers"),
    (dict(serviceRegistries=[{"registryArn": "a"}]), PARAMETER, "Service registry a was not found."),
    (dict(serviceConnectConfiguration={"enabled": True}), PARAMETER,
     "A Service Connect namespace must be specified, as the cluster has no default namespace."),
    (dict(deploymentConfiguration={"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.0}}), PARAMETER,
     "stepPercent must be a multiple of 0.1 from 3.0 to 100.0."),
    (dict(deploymentConfiguration={"maximumPercent": 50}), PARAMETER, "minimumHealthyPercent cannot be greater than maximumPercent."),
    (dict(schedulingStrategy="DAEMON", desiredCount=1), PARAMETER, DAEMON_COUNT),
    (dict(schedulingStrategy="DAEMON", desiredCount=None, placementStrategy=[{"type": "random"}]), PARAMETER, DAEMON_STRATEGY),
    (dict(schedulingStrategy="DAEMON", desiredCount=None, deploymentConfiguration={"maximumPercent": 200}), PARAMETER, DAEMON_PERCENT),
    (dict(placementStrategy=[{"type": "near"}]), PARAMETER, "strategy type should be one of [random,spread,binpack]"),
    (dict(placementConstraints=[{"type": "memberOf"}]), PARAMETER, "memberOf expression should be specified."),
    (dict(enableExecuteCommand=True), PARAMETER, NO_ROLE),
    (dict(propagateTags="ALL"), PARAMETER, "propagateTags should be one of [TASK_DEFINITION,SERVICE,NONE]"),
    (dict(clientToken="a" * 37), PARAMETER, "Client token must be 1 to 36 printable ASCII characters."),
    (dict(tags=[{"key": "aws:a", "value": "b"}]), PARAMETER, "Tag keys cannot start with aws:."),
    (EXTERNAL, PARAMETER, "TaskDefinition must be blank."),
]


@pytest.mark.parametrize("asked, code, text", CREATE)
def test_a_creation_is_refused_in_awss_words(services, asked, code, text):
    wanted = {"serviceName": "wrong", "taskDefinition": "web", "desiredCount": 0} | asked
    wanted = {name: value for name, value in wanted.items() if value is not None}
    assert refused(services.create_service, **wanted) == (code, text)
    assert services.describe_services(services=["wrong"])["failures"] == [{"arn": f"{ARN}:service/default/wrong", "reason": "MISSING"}]


OTHERS = [
    ("update_service", dict(service="no"), NOT_FOUND, "Service not found."),
    ("update_service", dict(service="idle", cluster="blue"), NOT_FOUND, "Service not found."),
    ("update_service", dict(service=f"{ARN}:service/blue/idle"), NOT_FOUND, "Service not found."),
    ("update_service", dict(service="idle", taskDefinition="no"), CLIENT, "TaskDefinition not found."),
    ("update_service", dict(service="all", desiredCount=1), PARAMETER, DAEMON_COUNT),
    ("update_service", dict(service="code", taskDefinition="web"), PARAMETER,
     "Unable to update task definition on services with a CODE_DEPLOY deployment controller. Use AWS CodeDeploy to trigger a new deployment."),
    ("update_service", dict(service="ext", taskDefinition="web"), PARAMETER,
     "Unable to update task definition on services with an EXTERNAL deployment controller."),
    ("delete_service", dict(service="no"), NOT_FOUND, "Service not found."),
    ("delete_service", dict(service="code"), PARAMETER, "The service cannot be stopped while deployments are active."),
    ("delete_cluster", dict(cluster="default"), "ClusterContainsContainerInstancesException",
     "The Cluster cannot be deleted while Container Instances are active or draining."),
    ("describe_services", dict(services=[]), PARAMETER, "Services cannot be empty."),
    ("describe_services", dict(services=[str(n) for n in range(11)]), PARAMETER, "Services cannot be more than 10."),
    ("list_services", dict(maxResults=101), PARAMETER, "Maximum results must be between 1 and 100."),
    ("list_services", dict(nextToken="x"), PARAMETER, "Invalid token."),
    ("list_services", dict(schedulingStrategy="ODD"), PARAMETER, "schedulingStrategy should be one of [REPLICA,DAEMON]"),
    ("list_services_by_namespace", dict(namespace="ns"), "NamespaceNotFoundException", "Namespace not found."),
    ("list_tasks", dict(serviceName="no"), NOT_FOUND, "Service not found."),
    ("create_task_set", dict(cluster="default", service="no", taskDefinition="web"), NOT_FOUND, "Service not found."),
    ("create_task_set", dict(cluster="default", service="ext", taskDefinition="no"), CLIENT, "TaskDefinition not found."),
    ("create_task_set", dict(cluster="default", service="ext", taskDefinition="web", scale={"value": 101}), PARAMETER,
     "scale value must be between 0 and 100."),
    ("update_task_set", dict(cluster="default", service="ext", taskSet="ecs-svc/1", scale={"value": 1}), "TaskSetNotFoundException",
     "The specified task set does not exist."),
    ("delete_task_set", dict(cluster="default", service="ext", taskSet="ecs-svc/1"), "TaskSetNotFoundException",
     "The specified task set does not exist."),
    ("update_service_primary_task_set", dict(cluster="default", service="ext", primaryTaskSet="ecs-svc/1"), "TaskSetNotFoundException",
     "The specified task set does not exist."),
    ("list_service_deployments", dict(service="no"), NOT_FOUND, "Service not found."),
    ("describe_service_deployments", dict(serviceDeploymentArns=[]), PARAMETER, "Service deployment ARNs cannot be empty."),
    ("describe_service_revisions", dict(serviceRevisionArns=["a"] * 21), PARAMETER, "Service revision ARNs cannot be more than 20."),
    ("stop_service_deployment", dict(serviceDeploymentArn="a"), PARAMETER, "The ARN provided is invalid."),
    ("stop_service_deployment", dict(serviceDeploymentArn=f"{ARN}:service-deployment/default/idle/x"), "ServiceDeploymentNotFoundException",
     "Service deployment not found."),
    ("continue_service_deployment", dict(serviceDeploymentArn=f"{ARN}:service-deployment/default/idle/x", hookId="h"),
     "ServiceDeploymentNotFoundException", "Service deployment not found."),
    ("tag_resource", dict(resourceArn=f"{ARN}:service/idle", tags=[{"key": "a", "value": "b"}]), PARAMETER, "The ARN provided is invalid."),
    ("list_tags_for_resource", dict(resourceArn=f"{ARN}:service/default/no"), PARAMETER, "The specified service is not found."),
]


@pytest.mark.parametrize("call, asked, code, text", OTHERS)
def test_a_call_is_refused_in_awss_words(services, call, asked, code, text):
    assert refused(getattr(services, call), **asked) == (code, text)


def test_a_cluster_is_not_deleted_under_its_services(services):
    services.create_service(cluster="blue", serviceName="web", taskDefinition="web", desiredCount=0)
    assert services.describe_clusters(clusters=["blue"])["clusters"][0]["activeServicesCount"] == 1
    contains = ("ClusterContainsServicesException", "The Cluster cannot be deleted while Services are active.")
    assert refused(services.delete_cluster, cluster="blue") == contains


def test_a_token_makes_a_creation_idempotent(services):
    asked = dict(serviceName="once", taskDefinition="web", desiredCount=0, clientToken="t")
    first, again = (services.create_service(**asked)["service"] for _ in range(2))
    assert first["deployments"][0]["id"] == again["deployments"][0]["id"]
    assert refused(services.create_service, **(asked | {"clientToken": "u"}))[1] == "Creation of service was not idempotent."


def test_services_are_listed_by_pages_of_ten(services):
    for n in range(12):
        services.create_service(serviceName=f"page-{n:02}", taskDefinition="web", desiredCount=0)
    first = services.list_services()
    assert len(first["serviceArns"]) == 10 and first["nextToken"]
    pages = services.get_paginator("list_services").paginate(schedulingStrategy="REPLICA")
    arns = [arn for page in pages for arn in page["serviceArns"]]
    assert len(arns) == len(set(arns)) and f"{ARN}:service/default/page-11" in arns
    assert services.list_services(schedulingStrategy="DAEMON")["serviceArns"] == [f"{ARN}:service/default/all"]


def test_a_deleted_service_is_no_longer_updated(services):
    services.create_service(serviceName="gone", taskDefinition="web", desiredCount=1, placementConstraints=[
        {"type": "memberOf", "expression": "attribute:nowhere exists"}])
    scaled = (PARAMETER, "The service cannot be stopped while it is scaled above 0.")
    assert refused(services.delete_service, service="gone") == scaled
    deleted = services.delete_service(service="gone", force=True)["service"]
    assert (deleted["status"], deleted["desiredCount"]) == ("DRAINING", 0)
    assert refused(services.update_service, service="gone", desiredCount=1) == (NOT_ACTIVE, "Service was not ACTIVE.")


@pytest.fixture(scope="module")
def answers(longshore, services, definition):
    """Each command of the examples, run by the real CLI; its answers by its name."""
    found = {}

    def aws(command, *arguments):
        answer = longshore.aws("ecs", command, *arguments)
        found.setdefault(command, []).append(answer)
        return answer

    shown = ("--health-check-grace-period-seconds", "0", "--deployment-configuration", json.dumps({
        "deploymentCircuitBreaker": {"enable": True, "rollback": True}, "maximumPercent": 200, "minimumHealthyPercent": 100,
        "alarms": {"alarmNames": [], "rollback": False, "enable": False}}))
    aws("create-service", "--service-name", "shown", "--task-definition", definition, "--desired-count", "0", "--tags", "key=k,value=v", *shown)
    made = aws("create-service", "--service-name", "outside", "--deployment-controller", "type=EXTERNAL", "--desired-count", "0")
    assert made["service"]["taskSets"] == []
    aws("update-service", "--service", "shown", "--task-definition", "web:1")
    aws("update-service", "--service", "outside", "--desired-count", "0")
    described = aws("describe-services", "--services", "shown", "outside")["services"][0]
    aws("list-services")
    of = ("--cluster", "default", "--service", "outside")
    task_set = aws("create-task-set", *of, "--task-definition", definition)["taskSet"]["taskSetArn"]
    aws("describe-task-sets", *of, "--task-sets", task_set)
    aws("update-task-set", *of, "--task-set", task_set, "--scale", "value=50,unit=PERCENT")
    aws("update-service-primary-task-set", *of, "--primary-task-set", task_set)
    aws("delete-task-set", *of, "--task-set", task_set, "--force")
    aws("list-service-deployments", "--service", described["serviceArn"])
    deployed = aws("describe-service-deployments", "--service-deployment-arns", described["currentServiceDeployment"])
    aws("describe-service-revisions", "--service-revision-arns", deployed["serviceDeployments"][0]["targetServiceRevision"]["arn"])
    aws("delete-service", "--cluster", "default", "--service", "shown", "--force")
    at_work(longshore, aws)
    return found


def at_work(longshore, aws):
    """A service on FARGATE with Service Connect, until its deployment is done; and a task set with interfaces."""
    subnet = vpc.default_subnet(longshore)
    inside = vpc.group(longshore, "inside", subnet["VpcId"])
    network = json.dumps(vpc.network(subnet["SubnetId"], groups=(inside,), public=True))
    container = {"name": "app", "image": "longshore/hello", "portMappings": [{"name": "web", "containerPort": 80}]}
    longshore.ecs.register_task_definition(
        family="far", networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512", containerDefinitions=[container])
    vpc_of = ("--launch-type", "FARGATE", "--network-configuration", network)
    connect = ("--service-connect-configuration", json.dumps({"enabled": True, "namespace": "shown", "services": [{"portName": "web", "clientAliases": [{"port": 80}]}]}))
    longshore.client("servicediscovery").create_http_namespace(Name="shown")
    made = aws("create-service", "--service-name", "far", "--task-definition", "far", "--desired-count", "1", *vpc_of, *connect,
               "--platform-version", "LATEST")["service"]
    finished = lambda: aws("list-service-deployments", "--service", made["serviceArn"])["serviceDeployments"][0]
    eventually(lambda: finished()["status"] == "SUCCESSFUL", "the deployment to be done", patience_s=90)
    deployed = aws("describe-service-deployments", "--service-deployment-arns", finished()["serviceDeploymentArn"])["serviceDeployments"][0]
    aws("describe-service-revisions", "--service-revision-arns", deployed["targetServiceRevision"]["arn"])
    listed = aws("list-services-by-namespace", "--namespace", "shown")
    assert listed == {"serviceArns": [made["serviceArn"]]}
    aws("update-service", "--service", "far", "--desired-count", "0")
    aws("delete-service", "--service", "far")
    of = ("--cluster", "default", "--service", "outside")
    task_set = aws("create-task-set", *of, "--task-definition", "far", *vpc_of, "--scale", "value=0,unit=PERCENT")["taskSet"]["taskSetArn"]
    aws("describe-task-sets", *of, "--task-sets", task_set)
    aws("update-task-set", *of, "--task-set", task_set, "--scale", "value=0,unit=PERCENT")
    aws("update-service-primary-task-set", *of, "--primary-task-set", task_set)
    aws("delete-task-set", *of, "--task-set", task_set, "--force")


@pytest.mark.parametrize("command", [
    "create-service", "update-service", "describe-services", "list-services", "create-task-set", "describe-task-sets",
    "update-task-set", "update-service-primary-task-set", "delete-task-set", "list-service-deployments", "describe-service-deployments",
    "describe-service-revisions", "list-services-by-namespace"])
def test_an_answer_has_what_the_examples_show(answers, command):
    ours = {}
    for answer in answers[command]:
        ours |= kinds(answer or {})
    missing, other, shown = {}, {}, list(outputs(command))
    assert shown
    for output in shown:
        for path, kind in kinds(output).items():
            if is_not_here(path) or any(name in path for name in OF_OTHERS):
                continue
            if path not in ours:
                # What holds nothing here shows nothing of its items.
                if not any(path.startswith(f"{empty}[]") for empty, k in ours.items() if k == "list" and f"{empty}[]" not in ours):
                    missing[path] = kind
            elif ours[path] != kind:
                other[path] = (kind, ours[path])
    assert not missing and not other, json.dumps([missing, other])
