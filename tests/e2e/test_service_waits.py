"""The waits of services that `--timing fast` shortens are kept all the same, by the timestamps of tasks and events.

Lower bounds and order alone: a machine may be slow.
"""

from __future__ import annotations

from datetime import datetime

from clients import HEALTHY_AFTER_S
from harness import eventually
from test_services import NAP, Service

# As `longshore doctor` prints them.
TELL_AGAIN_S, RETRY_FIRST_S, RETRY_MAX_S = 60, 0.5, 15


def at(moment: datetime) -> float:
    """Seconds since 1970, to the millisecond that the API has."""
    return round(moment.timestamp(), 3)


def seconds(since: datetime, until: datetime) -> float:
    return round(at(until) - at(since), 3)


def held_back_s(failures: int) -> float:
    """The least wait after so many failures in a row, but for the longest wait there is."""
    return 0 if failures < 2 else RETRY_FIRST_S * 2 ** (failures - 2)


def test_the_waits_are_those_that_the_doctor_prints(longshore):
    told = longshore.run("doctor", check=False).stdout
    for name, wait in (("task without a health check healthy after", f"{HEALTHY_AFTER_S:g} s"), ("standing state told again after", f"{TELL_AGAIN_S} s"),
                       ("failing task started again after", f"{RETRY_FIRST_S} s"), ("the longest such wait", f"{RETRY_MAX_S} s")):
        assert f"{name}: {wait}" in told, told


def test_a_task_counts_failures_are_held_back_and_what_holds_is_told_again(longshore):
    looping = Service(longshore, longshore.register("looping", NAP | {"command": ["sh", "-c", "exit 1"]}, networkMode="none"), 1)
    lacking = Service(longshore, longshore.register("lacking", NAP | {"memory": 4_000_000}, networkMode="none"), 1)
    steady = Service(longshore, longshore.register("steady", NAP, networkMode="none"), 1)
    steady.stable()

    # A task without a health check counts two seconds after it is RUNNING; not before does its predecessor go.
    [old] = steady.tasks()
    steady.update(forceNewDeployment=True)
    steady.stable()
    [new] = steady.tasks()
    old = longshore.describe(old["taskArn"])
    assert new["taskArn"] != old["taskArn"]
    assert seconds(new["startedAt"], old["stoppingAt"]) >= HEALTHY_AFTER_S, (new, old)

    # Failures in a row are held back twice as long each time, up to the longest wait.
    ends = lambda: sorted(looping.tasks("STOPPED"), key=lambda task: task["createdAt"])
    eventually(lambda: len(ends()) >= 9, "nine failures in a row", 120)
    tasks = ends()
    gaps = [seconds(task["stoppedAt"], after["createdAt"]) for task, after in zip(tasks, tasks[1:])]
    least = [min(held_back_s(failures), RETRY_MAX_S) for failures in range(1, len(tasks))]
    assert least[:8] == [0, 0.5, 1, 2, 4, 8, 15, 15]
    assert all(gap >= wait for gap, wait in zip(gaps, least)), (gaps, least)
    # The eighth would be at least so long, were there no longest wait.
    assert gaps[7] < held_back_s(8) == 32, gaps

    # What goes on holding is told once a minute, however often it is found anew in between.
    def told(service: Service, text: str) -> list[dict]:
        return [event for event in service.describe()["events"] if text in event["message"]]

    steadies = lambda: told(steady, "has reached a steady state.")
    eventually(lambda: [event["message"] for event in steady.describe()["events"][:2]] == [f"(service {steady.name}) has reached a steady state."] * 2,
               "the steady state to be told again", 120)
    again, before, *_ = steadies()
    assert seconds(before["createdAt"], again["createdAt"]) >= TELL_AGAIN_S, (before, again)
    unplaced = lambda: told(lacking, "was unable to place a task")
    eventually(lambda: len(unplaced()) >= 2, "the lack of room to be told again", 120)
    again, before = unplaced()[:2]
    assert seconds(before["createdAt"], again["createdAt"]) >= TELL_AGAIN_S, (before, again)
    assert again["message"] == before["message"]
    impaired = told(looping, "is unable to consistently start tasks successfully.")
    for again, before in zip(impaired, impaired[1:]):
        assert seconds(before["createdAt"], again["createdAt"]) >= TELL_AGAIN_S, impaired
    for service in (looping, lacking, steady):
        service.delete()
