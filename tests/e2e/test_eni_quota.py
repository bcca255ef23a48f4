"""How many tasks with an interface a machine takes, as its owner says what it is."""

import subprocess

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
    names = ("ecs.instance-type", "ecs.awsvpc-trunk-id", "longshore.launch-template", "longshore.max-interfaces")
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


def test_a_machine_of_a_launch_template_has_its_types_interfaces(fresh):
    ec2, log = fresh.client("ec2"), fresh.data / "log" / "agent.log"
    instance, = fresh.ecs.list_container_instances()["containerInstanceArns"]
    small = lambda name: fresh.aws("ec2", "create-launch-template", "--launch-template-name", name, "--launch-template-data", '{"InstanceType":"t3.micro"}')
    small("small")
    configured(fresh, '[agent]\ninstance_metadata = true\nlaunch_template = "small"\n')
    of_type = {"ecs.instance-type": "t3.micro", "longshore.launch-template": "small"}
    eventually(lambda: attributes(fresh) == of_type, "the template's type to be shown")
    definition = fresh.register("interfaces", SLEEP, networkMode="awsvpc")
    tasks, refused = placed(fresh, definition, 3)
    assert (len(tasks), set(refused)) == (1, {("RESOURCE:ENI", instance)})
    fresh.wait(tasks[0], "RUNNING")
    kind = ["curl", "-sS", "-m", "3", "http://169.254.169.254/latest/meta-data/instance-type"]
    eventually(lambda: subprocess.run(kind, capture_output=True, text=True).stdout == "t3.micro", "the type in instance metadata")
    # What becomes of the template is nothing to the machine, which is launched.
    ec2.create_launch_template_version(LaunchTemplateName="small", LaunchTemplateData={"InstanceType": "c5.large"})
    ec2.modify_launch_template(LaunchTemplateName="small", DefaultVersion="2")
    for change in (lambda: None, lambda: ec2.delete_launch_template(LaunchTemplateName="small")):
        change()
        kill(fresh, "agent")
        eventually(fresh.ready, "the agent to be back")
        assert attributes(fresh) == of_type and placed(fresh, definition, 1)[0] == []
    # Another one is looked up; until there is one, the machine is refused.
    (fresh.data / "longshore.toml").write_text('[agent]\nlaunch_template = "later:$Latest"\n')
    kill(fresh, "agent")
    why = "The specified launch template, with template name later, does not exist."
    eventually(lambda: "cannot register" in log.read_text() and why in log.read_text(), "the agent to say why it is refused")
    small("later")
    ec2.create_launch_template_version(LaunchTemplateName="later", LaunchTemplateData={"InstanceType": "c5.large"})
    eventually(fresh.ready, "the agent to be back")
    eventually(lambda: attributes(fresh)["longshore.launch-template"] == "later:$Latest", "the other template to be shown")
    assert fresh.ecs.list_container_instances()["containerInstanceArns"] == [instance]
    assert fresh.describe(tasks[0])["lastStatus"] == "RUNNING"


def test_a_machine_that_joins_may_be_of_a_launch_template(site):
    server = site.server()
    made = server.client("ec2").create_launch_template(LaunchTemplateName="small", LaunchTemplateData={"InstanceType": "t3.micro"})["LaunchTemplate"]
    server.client("ec2").create_launch_template_version(LaunchTemplateName="small", LaunchTemplateData={"InstanceType": "c5.large"})
    template = f"{made['LaunchTemplateId']}:2"
    site.joined("--launch-template", template)
    assert attributes(server) == {"ecs.instance-type": "c5.large", "longshore.launch-template": template}
    tasks, refused = placed(server, server.register("interfaces", SLEEP, networkMode="awsvpc"), 3)
    assert (len(tasks), {reason for reason, _ in refused}) == (2, {"RESOURCE:ENI"})
    for task in tasks:
        server.wait(task, "RUNNING")


@pytest.mark.parametrize("text, why", [
    ('launch_template = "small:newest"', "launch_template \"small:newest\""), ('launch_template = "a web"', "A launch template name must be"),
    ('launch_template = "small"\ninstance_type = "c5.large"', "use one of them"),
    ('instance_type = "own.box"', "say max_interfaces too"), ("max_interfaces = 0", "use 1 or more")])
def test_what_cannot_be_is_said_at_the_start(longshore, text, why, tmp_path):
    config = tmp_path / "longshore.toml"
    config.write_text(f"[agent]\n{text}\n")
    done = longshore.run("env", "--config", str(config), check=False)
    assert done.returncode != 0 and why in done.stderr, done.stderr
