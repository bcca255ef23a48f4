"""Waiters that cannot be content end at once, and say what they saw, in boto3 and in both AWS CLIs."""

from __future__ import annotations

import pytest
from botocore.exceptions import WaiterError
from harness import eventually
from test_services import NAP, Service

SAW = 'Waiter encountered a terminal failure state: For expression "{}" we matched expected path: "{}" at least once'
NOBODY = f"arn:aws:ecs:us-east-1:000000000000:task/default/{'0' * 32}"


@pytest.fixture(scope="module")
def stopped(longshore) -> str:
    """A task that is over."""
    return longshore.run_to_end({"name": "app", "command": ["true"]})["taskArn"]


@pytest.fixture(scope="module")
def inactive(longshore) -> str:
    """A service that was deleted."""
    service = Service(longshore, longshore.register("gone", NAP, networkMode="none"), 1)
    service.delete()
    return service.name


ENDS = [
    ("tasks_running", "tasks", "stopped", "tasks[].lastStatus", "STOPPED"),
    ("tasks_running", "tasks", NOBODY, "failures[].reason", "MISSING"),
    ("services_stable", "services", "nobody", "failures[].reason", "MISSING"),
    ("services_stable", "services", "inactive", "services[].status", "INACTIVE"),
    ("services_inactive", "services", "nobody", "failures[].reason", "MISSING"),
]


@pytest.mark.parametrize("waiter, of, what, expression, matched", ENDS)
def test_a_waiter_ends_with_what_it_saw(longshore, request, waiter, of, what, expression, matched):
    name = request.getfixturevalue(what) if what in ("stopped", "inactive") else what
    words = SAW.format(expression, matched)
    with pytest.raises(WaiterError) as ended:
        longshore.ecs.get_waiter(waiter).wait(**{of: [name]})
    title = waiter.title().replace("_", "")
    assert str(ended.value) == f"Waiter {title} failed: {words}"
    for version in (1, 2):
        done = longshore.aws("ecs", "wait", waiter.replace("_", "-"), f"--{of}", name, check=False, version=version)
        assert done.returncode == 255 and f"Waiter {title} failed: {words}" in done.stderr, (version, done)


def test_one_that_fails_among_many_ends_the_wait_for_all(longshore, stopped):
    nap = longshore.start(longshore.register("nap", NAP, networkMode="none"))[0]
    longshore.wait(nap, "RUNNING")
    with pytest.raises(WaiterError, match="STOPPED"):
        longshore.ecs.get_waiter("tasks_running").wait(tasks=[nap, stopped])
    # There is no end but success and patience for this one.
    with pytest.raises(WaiterError, match="Waiter TasksStopped failed: Max attempts exceeded"):
        longshore.ecs.get_waiter("tasks_stopped").wait(tasks=[nap], WaiterConfig={"Delay": 1, "MaxAttempts": 2})
    longshore.ecs.stop_task(task=nap)
    longshore.ecs.get_waiter("tasks_stopped").wait(tasks=[nap, stopped], WaiterConfig={"Delay": 1})


def test_a_service_that_drains_ends_the_wait_for_it_to_be_stable(longshore):
    service = Service(longshore, longshore.register("drains", NAP, networkMode="none"), 1)
    waiter = longshore.ecs.get_waiter("services_stable")
    waiter.wait(services=[service.name], WaiterConfig={"Delay": 1})
    longshore.ecs.delete_service(service=service.name, force=True)
    with pytest.raises(WaiterError, match=r'For expression "services\[\].status" we matched expected path: "(DRAINING|INACTIVE)"'):
        waiter.wait(services=[service.name])
    longshore.ecs.get_waiter("services_inactive").wait(services=[service.name], WaiterConfig={"Delay": 1})
    eventually(lambda: not service.tasks(), "its task to be asked to stop")
