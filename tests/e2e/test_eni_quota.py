"""How many tasks with an interface a machine takes, as its owner says what it is."""

import pytest
import vpc
from harness import eventually
from test_kills import kill
from test_metadata import SLEEP


def configured(fresh, text):
    """The agent anew, with these settings."""
    (fresh.data / "longshore.toml").write_text(text)
    kill(fresh, "agent")
    eventually(fresh.ready, "the agent to be back")


def attributes(fresh):
    """Name and value of the instance's attributes about interfaces, by the AWS CLI and as the instance shows them."""
    names = ("ecs.instance-type", "ecs.awsvpc-trunk-id", "longshore.max-interfaces")
    listed = {}
    for name in names:
        for one in fresh.aws("ecs", "list-attributes", "--target-type", "container-instance", "--attribute-name", name)["attributes"]:
            listed[name] = one["value"]
    arns = fresh.ecs.list_container_instances()["containerInstanceArns"]
    instance, = fresh.ecs.describe_container_instances(containerInstances=arns)["containerInstances"]
    assert listed == {one["name"]: one["value"] for one in instance["attributes"] if one["name"] in names}
    return listed


def placed(fresh, definition, count):
    """Tasks that found room, and the reasons of the rest."""
    network = vpc.network(vpc.default_subnet(fresh)["SubnetId"])
    run = lambda: fresh.ecs.run_task(taskDefinition=definition, count=count, networkConfiguration=network)
    away = lambda answer: any(one["reason"] == "AGENT" for one in answer["failures"])
    answer = eventually(lambda: (lambda one: not away(one) and one)(run()), "the agent to take tasks")
    return [task["taskArn"] for task in answer["tasks"]], [(one["reason"], one["arn"]) for one in answer["failures"]]


def test_a_type_has_its_interfaces_and_a_trunk_more(fresh):
    definition = fresh.register("interfaces", SLEEP, networkMode="awsvpc")
    instance, = fresh.ecs.list_container_instances()["containerInstanceArns"]
    assert attributes(fresh) == {}
    configured(fresh, '[agent]\ninstance_type = "c5.large"\n')
    eventually(lambda: attributes(fresh) == {"ecs.instance-type": "c5.large"}, "the type to be shown")
    tasks, refused = placed(fresh, definition, 4)
    assert (len(tasks), set(refused)) == (2, {("RESOURCE:ENI", instance)})
    for task in tasks:
        fresh.wait(task, "RUNNING")
    # Tasks without an interface of their own find room, and FARGATE has no quota.
    bare = fresh.start(fresh.register("bare", SLEEP, networkMode="bridge"))
    fargate = fresh.register("serverless", {"name": "app", "command": ["sleep", "1000"]}, networkMode="awsvpc", cpu="256", memory="512",
                             requiresCompatibilities=["FARGATE"])
    network = vpc.network(vpc.default_subnet(fresh)["SubnetId"])
    lent = fresh.start(fargate, launchType="FARGATE", networkConfiguration=network)
    for task in bare + lent:
        fresh.wait(task, "RUNNING")
    fresh.ecs.stop_task(task=tasks[0])
    fresh.wait(tasks[0], "STOPPED")
    again, refused = placed(fresh, definition, 2)
    assert (len(again), len(refused)) == (1, 1)
    # With a trunk, from the next registration on.
    fresh.ecs.put_account_setting_default(name="awsvpcTrunking", value="enabled")
    assert placed(fresh, definition, 1)[0] == []
    kill(fresh, "agent")
    eventually(fresh.ready, "the agent to be back")
    trunk = eventually(lambda: attributes(fresh).get("ecs.awsvpc-trunk-id"), "a trunk")
    assert len(trunk) == 36
    more, refused = placed(fresh, definition, 10)
    assert (len(more), set(refused)) == (8, {("RESOURCE:ENI", instance)})
    branch = vpc.details(fresh.wait(more[0], "RUNNING", 60))["networkInterfaceId"]
    for task in more:
        fresh.wait(task, "RUNNING", 60)
    # Those from before have what they had.
    of = lambda kind: vpc.ec2(fresh).describe_network_interfaces(Filters=[{"Name": "interface-type", "Values": [kind]}])["NetworkInterfaces"]
    assert len(of("branch")) == 8 and branch in {one["NetworkInterfaceId"] for one in of("branch")}
    assert {one["InterfaceType"] for one in of("branch")} == {"branch"} and len(of("interface")) == 3
    kill(fresh, "agent")
    eventually(fresh.ready, "the agent to be back")
    assert attributes(fresh)["ecs.awsvpc-trunk-id"] == trunk
    assert fresh.ecs.list_container_instances()["containerInstanceArns"] == [instance]


def test_a_number_is_enough_and_a_service_says_what_it_waits_for(fresh):
    configured(fresh, "[agent]\nmax_interfaces = 2\n")
    eventually(lambda: attributes(fresh) == {"longshore.max-interfaces": "2"}, "the number to be shown")
    definition = fresh.register("one", SLEEP, networkMode="awsvpc")
    fresh.ecs.create_service(serviceName="two", taskDefinition=definition, desiredCount=2,
                             networkConfiguration=vpc.network(vpc.default_subnet(fresh)["SubnetId"]))
    of = lambda: fresh.ecs.describe_services(services=["two"])["services"][0]
    told = lambda: [one["message"] for one in of()["events"] if "RESOURCE:ENI" in one["message"]]
    eventually(lambda: of()["runningCount"] == 1 and told(), "the service to say why it has one task alone")
    fresh.ecs.delete_service(service="two", force=True)


@pytest.mark.parametrize("text, why", [
    ('instance_type = "own.box"', "say max_interfaces too"), ("max_interfaces = 0", "use 1 or more")])
def test_what_cannot_be_is_said_at_the_start(longshore, text, why, tmp_path):
    config = tmp_path / "longshore.toml"
    config.write_text(f"[agent]\n{text}\n")
    done = longshore.run("env", "--config", str(config), check=False)
    assert done.returncode != 0 and why in done.stderr, done.stderr
