"""Tasks of launch type FARGATE and their host: what they try is in vain, and what they have is theirs alone."""

import http.server
import io
import os
import subprocess
import tarfile
import threading
from pathlib import Path

import images
import leaks
import pytest
import vpc
from harness import eventually
from test_fargate import answered, define, output, run, running, stop
from test_metadata import ask, environment, fetch, pid

IDS = 65536
FIRST = 100_000


@pytest.fixture(scope="module")
def tools(longshore, tmp_path_factory):
    """An image with a program that tries escapes, once as it is and once set-user-id root."""
    directory = tmp_path_factory.mktemp("tools")
    program = directory / "escapes"
    source = Path(__file__).with_name("escapes.c")
    subprocess.run(["cc", "-static", "-O1", "-Wall", "-o", program, source], check=True)
    files = {"bin/escapes": (program.read_bytes(), 0o755), "bin/gains": (program.read_bytes(), 0o4755)}
    longshore.load_image(images.save(directory / "tools.tar", "tools:test", [images.busybox_layer(), images.layer(files)]))
    return {"image": "tools:test"}


def ranges(longshore, task, name="app"):
    """First id on the host of a container's users, and of its groups."""
    found = []
    for kind in ("uid_map", "gid_map"):
        line, = Path(f"/proc/{pid(longshore, task['taskArn'], name)}/{kind}").read_text().splitlines()
        inside, first, count = map(int, line.split())
        assert (inside, count) == (0, IDS)
        found.append(first)
    assert found[0] == found[1]
    return found[0]


def said(longshore, task):
    return eventually(lambda: (text := output(longshore, task)).endswith("tried\n") and text, "all to be tried")


def directory(longshore, task):
    return longshore.data / "agent" / "tasks" / task["taskArn"].rsplit("/", 1)[1]


def loop_devices(longshore):
    """Files of this data directory that are loop devices."""
    found = set()
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            found.add(path.read_text().strip())
        except OSError:  # gone meanwhile
            pass
    return {name for name in found if str(longshore.data.resolve()) in name}


def of_tasks(longshore):
    """What stands of tasks alone: not what is made ready for the next."""
    mounts = leaks.present(longshore.data).get("mounts", set())
    shared = ("/agent/disks/", "/net/vpc/routers/")
    return {name for name in mounts | loop_devices(longshore) if not any(part in name for part in shared)}


def test_what_leads_out_of_a_container_is_in_vain(longshore, tools):
    for user in ({}, {"user": "1000"}, {"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}}}):
        command = ["sh", "-c", "gains x; escapes; exec sleep 600"]
        task = running(longshore, define(longshore, "escapes", command, container=tools | user))
        assert said(longshore, task) == "tried\n", user
        stop(longshore, task)


def test_its_users_are_nobody_on_the_host_and_nobody_elses(longshore):
    tasks = [running(longshore, define(longshore, "ids")) for _ in range(2)]
    firsts = [ranges(longshore, task) for task in tasks]
    for task, first in zip(tasks, firsts):
        assert first >= FIRST and first % IDS == 0
        status = Path(f"/proc/{pid(longshore, task['taskArn'])}/status").read_text()
        assert f"Uid:\t{first}\t{first}\t{first}\t{first}\n" in status
        # What it wrote is owned by its range; what was made for it is not the host's root's either.
        files = directory(longshore, task) / "disk" / "files" / "containers" / "app"
        assert {os.lstat(path).st_uid for path in (files / "hosts", files / "scratch" / "upper")} == {first}
    assert abs(firsts[0] - firsts[1]) >= IDS
    # Its namespaces are the task's: none is the host's, none another task's.
    for kind in ("user", "net", "mnt", "pid", "ipc", "uts", "cgroup"):
        seen = [os.readlink(f"/proc/{one}/ns/{kind}")
                for one in (os.getpid(), *(pid(longshore, task["taskArn"]) for task in tasks))]
        assert len(set(seen)) == 3, kind
    # A range is given again when its task is gone: the lowest, which another test's task may just have left.
    stop(longshore, *tasks)
    eventually(lambda: not any(directory(longshore, task).exists() for task in tasks), "the tasks to be gone")
    task = running(longshore, define(longshore, "ids"))
    assert ranges(longshore, task) <= min(firsts)
    stop(longshore, task)


def test_containers_of_a_task_share_volumes_and_work_as_elsewhere(longshore):
    writer = {"name": "writer", "essential": False, "command": ["sh", "-c", (
        "id -u; stat -c %u:%g /data /etc/hosts; echo of-writer >/data/file; ln -s /etc/shadow /data/link;"
        " ln -s /proc/1/root/etc/passwd /data/proc; chmod 666 /data/file; mkdir /tmp/d; df /data | tail -1 | awk '{print $1}'")]}
    app = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}], "user": "app",
           "dependsOn": [{"containerName": "writer", "condition": "SUCCESS"}],
           "healthCheck": {"command": ["CMD-SHELL", "cat /data/file && [ $(id -u) = 1000 ]"], "interval": 5, "retries": 3},
           "systemControls": [{"namespace": "net.ipv4.tcp_keepalive_time", "value": "77"}],
           "linuxParameters": {"initProcessEnabled": True},
           "command": ["sh", "-c", "id; cat /data/file; echo more >>/data/file; cat /data/link /data/proc 2>&1;"
                       " cat /proc/sys/net/ipv4/tcp_keepalive_time; touch /mine 2>&1; echo tried; exec sleep 600"]}
    writer |= {"image": "busybox:test", "mountPoints": app["mountPoints"]}
    app |= {"name": "app", "image": "busybox:test", "stopTimeout": 2}
    definition = define_all(longshore, "shared", [app, writer], volumes=[{"name": "data"}])
    task = running(longshore, definition)
    text = said(longshore, task)
    assert text.splitlines()[:2] == ["uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)", "of-writer"], text
    assert "can't open '/data/link'" in text and "root:x:0:0:root:/root:/bin/sh" in text, text
    assert text.splitlines()[-3:] == ["77", "touch: /mine: Permission denied", "tried"], text
    healthy = lambda: longshore.describe(task["taskArn"])["containers"]
    eventually(lambda: all(c["healthStatus"] == "HEALTHY" for c in healthy() if c["name"] == "app"), "health")
    assert output_of(longshore, task, "writer").splitlines()[:3] == ["0", "0:0", "0:0"]
    assert ranges(longshore, task) == directory(longshore, task).joinpath(
        "disk", "files", "volumes", "data", "file").lstat().st_uid
    stop(longshore, task)


def define_all(longshore, family, containers, **fields):
    answer = longshore.ecs.register_task_definition(
        family=family, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
        containerDefinitions=containers, **fields)
    return answer["taskDefinition"]["taskDefinitionArn"]


def output_of(longshore, task, name):
    import json
    log = directory(longshore, task) / "containers" / name / "log.json"
    return "".join(json.loads(line)["log"] for line in log.read_text().splitlines())


def test_processes_of_a_task_are_seen_by_it_alone(longshore):
    shell = {"image": "busybox:test", "stopTimeout": 2}
    looks = "sleep 1; ps; cat /proc/1/comm; exec sleep 600"
    definition = define_all(longshore, "pids", [
        shell | {"name": "app", "command": ["sh", "-c", f"usleep 300000; ps | grep -c 4321; ls /proc/1/root >/dev/null 2>&1 && touch /proc/1/root/x 2>&1; echo tried; {looks}"]},
        shell | {"name": "other", "command": ["sleep", "4321"]}], pidMode="task")
    task = running(longshore, definition)
    text = said(longshore, task)
    assert int(text.splitlines()[0]) >= 1, text
    assert ranges(longshore, task, "app") == ranges(longshore, task, "other")
    stop(longshore, task)


def test_what_a_task_writes_has_a_bound_and_the_host_keeps_its_disk(longshore):
    free = os.statvfs(longshore.data).f_bavail
    grow = ("busybox fallocate -l 12G /data/a && echo a; busybox fallocate -l 12G /b 2>&1; rm -f /b;"
            " busybox fallocate -l 4G /c && echo c; df -k / | tail -1 | awk '{print $2}'; echo tried; exec sleep 600")
    mounts = [{"sourceVolume": "data", "containerPath": "/data"}]
    for size, fields in ((20, {}), (21, {"ephemeralStorage": {"sizeInGiB": 21}})):
        task = running(longshore, define(
            longshore, "bounded", ["sh", "-c", grow], container={"mountPoints": mounts}, volumes=[{"name": "data"}], **fields))
        first, refused, last, kib, _ = said(longshore, task).splitlines()
        assert (first, last) == ("a", "c") and "No space left on device" in refused
        assert size * 0.98 < int(kib) / 2**20 <= size
        stop(longshore, task)
    # The room was the task's to take, and is the host's again.
    eventually(lambda: not of_tasks(longshore), f"nothing to be left of {of_tasks(longshore)}")
    assert abs(free - os.statvfs(longshore.data).f_bavail) * os.statvfs(longshore.data).f_frsize < 2**30


def test_an_image_with_ids_beyond_a_tasks_is_refused_with_the_reason(longshore, tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        info = tarfile.TarInfo("etc/far")
        info.uid, info.gid = 100_000, 7
        tar.addfile(info)
    longshore.load_image(images.save(tmp_path / "far.tar", "far:test", [images.busybox_layer(), buffer.getvalue()]))
    for container, words in (({"image": "far:test"}, "user or group 100000"), ({"user": "70000"}, "no ids above 65535")):
        task, = run(longshore, define(longshore, "far", container=container))
        ended, = longshore.wait(task["taskArn"], "STOPPED")["containers"]
        assert words in ended["reason"], ended["reason"]
    # On an instance it runs.
    ended = longshore.run_to_end({"name": "app", "image": "far:test", "command": ["true"]})
    assert ended["containers"][0]["exitCode"] == 0


def test_no_address_is_forged_and_no_endpoint_is_anothers(longshore, tools):
    victim = running(longshore, define(longshore, "victim", ["escapes", "listen", "5353"], container=tools))
    bystander = running(longshore, define(longshore, "bystander"))
    addresses = [vpc.address(task) for task in (victim, bystander)]
    attacker = running(longshore, define(longshore, "attacker", container=tools))
    own = vpc.address(attacker)

    def forge(source, text):
        # As a program in its network: what the container's capabilities let it do, and more.
        program = f"/proc/{pid(longshore, attacker['taskArn'])}/root/bin/escapes"
        done = subprocess.run(["nsenter", f"--net=/proc/{pid(longshore, attacker['taskArn'])}/ns/net",
                               program, source, addresses[0], "5353", text])
        return done.returncode

    for source in (addresses[1], "127.0.0.1", "169.254.170.2", "10.9.9.9"):
        forge(source, "forged")
    eventually(lambda: forge(own, "real") == 0 and "got real" in output(longshore, victim), "a real packet to come")
    assert "forged" not in output(longshore, victim)

    # Another's paths are no use from here; what is on the host's loopback is not there.
    theirs = environment(longshore, bystander["taskArn"])["ECS_CONTAINER_METADATA_URI_V4"]
    assert fetch(longshore, bystander["taskArn"], theirs)["Name"] == "app"
    status, _ = ask(longshore, attacker["taskArn"], theirs)
    assert status in (400, 403, 404)
    server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        for port in (server.server_port, longshore.port):
            assert ask(longshore, attacker["taskArn"], f"http://127.0.0.1:{port}/")[0] == 0
    finally:
        server.shutdown()
        server.server_close()
    stop(longshore, victim, bystander, attacker)


def test_a_killed_agent_keeps_what_tasks_have_and_leaves_nothing(fresh):
    mounts = {"mountPoints": [{"sourceVolume": "data", "containerPath": "/data"}]}
    keeps = ["sh", "-c", "echo kept >/data/file; trap 'exit 0' TERM; while :; do sleep 0.1; done"]
    definition = define(fresh, "kept", keeps, container=mounts, volumes=[{"name": "data"}])
    tasks = [running(fresh, definition) for _ in range(3)]
    before = [ranges(fresh, task) for task in tasks]
    for _ in range(2):
        fresh.kill("agent")
        new = answered_run(fresh, definition)
        assert [ranges(fresh, task) for task in tasks] == before
        assert ranges(fresh, new) not in before
        before.append(ranges(fresh, new))
        tasks.append(new)
    for task in tasks:
        assert (directory(fresh, task) / "disk" / "files" / "volumes" / "data" / "file").read_text() == "kept\n"
    # In the middle of everything: starts and stops under way.
    fresh.ecs.stop_task(task=tasks[0]["taskArn"])
    late = run(fresh, definition, count=2)
    fresh.kill("agent")
    eventually(fresh.ready, "the agent to be back")
    ended = stop(fresh, *tasks[1:], *late)
    assert all(task["lastStatus"] == "STOPPED" for task in ended)
    fresh.wait(tasks[0]["taskArn"], "STOPPED")
    eventually(lambda: not of_tasks(fresh), f"nothing to be left: {of_tasks(fresh)}")
    assert not list((fresh.data / "agent" / "disks").glob("new-*"))


def answered_run(longshore, definition):
    def attempt():
        subnet = vpc.default_subnet(longshore)["SubnetId"]
        answer = longshore.ecs.run_task(taskDefinition=definition, launchType="FARGATE",
                                        networkConfiguration=vpc.network(subnet, public=True))
        return answer["tasks"]
    task, = eventually(lambda: answered(attempt), "a task to be placed")
    return longshore.wait(task["taskArn"], "RUNNING")


def settings(longshore, text):
    longshore.data.mkdir(exist_ok=True)
    (longshore.data / "longshore.toml").write_text(text)


def test_a_machine_that_cannot_keep_tasks_apart_is_not_lent(fresh):
    definition = define(fresh, "nowhere")
    network = vpc.network(vpc.default_subnet(fresh)["SubnetId"])
    fresh.down()
    settings(fresh, '[agent]\nwithout = ["idmapped-layers"]\n')
    fresh.up()
    answer = fresh.ecs.run_task(taskDefinition=definition, launchType="FARGATE", networkConfiguration=network)
    assert [failure["reason"] for failure in answer["failures"]] == ["RESOURCE:FARGATE"]
    # On an instance it runs; told to lend it in any case, the agent ends with the reason.
    ended = fresh.run_to_end({"name": "app", "command": ["true"]})
    assert ended["containers"][0]["exitCode"] == 0
    os.kill(fresh.pid("up"), 9)
    fresh.supervisor.wait()
    os.kill(fresh.pid("agent"), 9)
    def refusal():
        done = fresh.run("agent", "--fargate=also", check=False)
        return "runs already" not in done.stderr and done

    refused = eventually(refusal, "the killed one to be gone, and an answer")
    assert refused.returncode != 0 and "cannot be lent" in refused.stderr and "5.19" in refused.stderr, refused.stderr
    # Or deliberately without: what Docker gives, and the disk all the same.
    settings(fresh, '[agent]\nwithout = ["idmapped-layers"]\nfargate_user_namespace = false\n')
    fresh.up()
    task = answered_run(fresh, definition)
    assert Path(f"/proc/{pid(fresh, task['taskArn'])}/uid_map").read_text().split() == ["0", "0", "4294967295"]
    assert (directory(fresh, task) / "disk" / "files").is_mount()
    stop(fresh, task)


def test_nothing_is_left_after_down(fresh):
    task = running(fresh, define(fresh, "left"))
    assert loop_devices(fresh)
    fresh.down()
    assert not loop_devices(fresh) and not leaks.present(fresh.data), task["taskArn"]
    fresh.up()
