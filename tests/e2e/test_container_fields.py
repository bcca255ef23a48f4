"""Each field of a container, looked at from inside the container."""

import io
import json
import os
import stat
import tarfile
from pathlib import Path

import images
import pytest
from botocore.exceptions import ClientError
from harness import eventually
from points import Life

WAIT = "trap 'exit 0' TERM; while :; do sleep 0.05; done"


def inside(longshore, tmp_path, script, others=(), volumes=(), network="none", task=None, **fields):
    """Runs `script` in a container with these fields to its end; what it wrote to its standard output and error."""
    tmp_path.chmod(0o777)
    out = {"sourceVolume": "out", "containerPath": "/out"}
    container = {"name": "app", "command": ["sh", "-c", f"{{ {script}\n}} > /out/result 2>&1"]} | fields
    container["mountPoints"] = [out, *fields.get("mountPoints", [])]
    ended = longshore.run_to_end(
        container, *others, networkMode=network,
        volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}, *volumes], **(task or {}),
    )
    result = tmp_path / "result"
    assert result.exists(), f"{ended['stoppedReason']}: {ended['containers']}\n{longshore.tail()}"
    return result.read_text()


def reason(longshore, **fields):
    task = longshore.run_to_end({"name": "app", "command": ["true"]} | fields, networkMode="none")
    return task["containers"][0]["reason"]


STATUS = "grep -E '^(CapEff|CapBnd|Seccomp|NoNewPrivs):' /proc/self/status"


def status(text):
    return dict(line.split(":\t") for line in text.splitlines())


def test_capabilities(longshore, tmp_path):
    capabilities = {"add": ["SYS_PTRACE"], "drop": ["NET_RAW", "MKNOD"]}
    seen = status(inside(longshore, tmp_path, STATUS, linuxParameters={"capabilities": capabilities}))
    assert int(seen["CapEff"], 16) == (0xA80425FB | 1 << 19) & ~(1 << 13 | 1 << 27)
    assert seen["CapEff"] == seen["CapBnd"]


def test_privileged(longshore, tmp_path):
    seen = inside(longshore, tmp_path, STATUS + "; mount -t tmpfs x /tmp && echo mounted; ls /dev | grep -c loop-control", privileged=True)
    lines = seen.splitlines()
    assert status("\n".join(lines[:4]))["Seccomp"] == "0"
    assert lines[4] == "mounted"


@pytest.mark.parametrize("options, name, value", [
    (["no-new-privileges"], "NoNewPrivs", "1"),
    (["no-new-privileges:true"], "NoNewPrivs", "1"),
    (["seccomp=unconfined"], "Seccomp", "0"),
])
def test_docker_security_options(longshore, tmp_path, options, name, value):
    assert status(inside(longshore, tmp_path, STATUS, dockerSecurityOptions=options))[name] == value


def test_docker_security_option_apparmor(longshore, tmp_path):
    """Where LONGSHORE_TEST_APPARMOR names a profile that is loaded, which forbids to read /etc/passwd (the test guest has
    it), it is seen at work; elsewhere no host takes the task."""
    profile = os.environ.get("LONGSHORE_TEST_APPARMOR")
    enabled = Path("/sys/module/apparmor/parameters/enabled")
    if profile is None:
        assert not enabled.exists() or enabled.read_text() != "Y\n", "load a profile that forbids to read /etc/passwd, and name it in LONGSHORE_TEST_APPARMOR"
        definition = longshore.register("confined", {"name": "app", "command": ["true"], "dockerSecurityOptions": ["apparmor:web"]})
        refused = longshore.ecs.run_task(taskDefinition=definition)
        assert (refused["tasks"], [failure["reason"] for failure in refused["failures"]]) == ([], ["ATTRIBUTE"])
        return
    seen = inside(longshore, tmp_path, "cat /proc/self/attr/current; cat /etc/passwd", dockerSecurityOptions=[f"apparmor:{profile}"])
    assert seen == f"{profile} (enforce)\ncat: can't open '/etc/passwd': Permission denied\n"


def test_ulimits(longshore, tmp_path):
    limits = [{"name": "nofile", "softLimit": 100, "hardLimit": 200}, {"name": "core", "softLimit": 0, "hardLimit": 0}]
    seen = inside(longshore, tmp_path, "grep -E 'open files|core file' /proc/self/limits", ulimits=limits)
    rows = {line[:26].strip(): line[26:].split()[:2] for line in seen.splitlines()}
    assert rows == {"Max core file size": ["0", "0"], "Max open files": ["100", "200"]}


def test_system_controls(longshore, tmp_path):
    controls = [{"namespace": "net.ipv4.ip_unprivileged_port_start", "value": "99"}, {"namespace": "kernel.shmmni", "value": "77"}]
    script = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni"
    assert inside(longshore, tmp_path, script, network="bridge", systemControls=controls) == "99\n77\n"


def test_system_controls_of_the_whole_host_are_refused(longshore):
    with pytest.raises(ClientError) as refused:
        longshore.register("panic", {"name": "app", "systemControls": [{"namespace": "kernel.panic", "value": "1"}]})
    assert refused.value.response["Error"]["Message"] == "SystemControl namespace 'kernel.panic' is not supported."


def test_shared_memory_and_tmpfs(longshore, tmp_path):
    linux = {"sharedMemorySize": 5, "tmpfs": [{"containerPath": "/cache", "size": 3, "mountOptions": ["noexec", "mode=700"]}]}
    seen = inside(longshore, tmp_path, "grep ' /dev/shm ' /proc/mounts; grep ' /cache ' /proc/mounts; stat -c %a /cache", linuxParameters=linux)
    shm, cache, mode = seen.splitlines()
    assert "size=5120k" in shm
    assert "noexec" in cache and "size=3072k" in cache
    assert mode == "700"


def test_init_process(longshore, tmp_path):
    seen = inside(longshore, tmp_path, "cat /proc/1/comm; echo $$", linuxParameters={"initProcessEnabled": True})
    assert seen == "exe\n2\n" or seen == "longshore-init\n2\n"


def test_devices(longshore, tmp_path):
    node = tmp_path / "tun"
    os.mknod(node, stat.S_IFCHR | 0o666, os.makedev(10, 200))
    devices = [{"hostPath": str(node), "containerPath": "/dev/given", "permissions": ["read"]}]
    script = "stat -c %F /dev/given; (: < /dev/given) && echo read; (: > /dev/given) 2> /dev/null || echo refused"
    seen = inside(longshore, tmp_path, script, linuxParameters={"devices": devices})
    assert seen == "character special file\nread\nrefused\n"


def test_a_device_that_is_not_there(longshore):
    why = reason(longshore, linuxParameters={"devices": [{"hostPath": "/dev/none-such"}]})
    assert 'error gathering device information while adding custom device "/dev/none-such": no such file or directory' in why


# In a kernel's one hierarchy; with one for each controller. There its shares count from 1 to 10,000.
@pytest.mark.parametrize("fields, unified, single, values", [
    ({"cpu": 512}, "cpu.weight", "cpu/cpu.shares", ("20", "512")),
    ({}, "cpu.weight", "cpu/cpu.shares", ("1", "2")),
    ({"memory": 96}, "memory.max", "memory/memory.limit_in_bytes", (str(96 << 20),) * 2),
    ({"memory": 96, "memoryReservation": 40}, "memory.low", "memory/memory.soft_limit_in_bytes", (str(40 << 20),) * 2),
    # A reservation alone bounds nothing: the second is all that fits the kernel's own counter.
    ({"memory": None, "memoryReservation": 40}, "memory.max", "memory/memory.limit_in_bytes", ("max", str((1 << 63) - 4096))),
], ids=["cpu", "no cpu", "memory", "memoryReservation", "memoryReservation alone"])
def test_cpu_and_memory(longshore, tmp_path, fields, unified, single, values):
    script = f"cd /sys/fs/cgroup; if [ -e {unified} ]; then echo unified; cat {unified}; else echo single; cat {single}; fi"
    kind, value = inside(longshore, tmp_path, script, **fields).split()
    assert value == values[kind == "single"]


def of_the_task(arn, *names):
    """What the control group of a task says, of a kernel with the one hierarchy or with one for each controller."""
    id_ = arn.rsplit("/", 1)[1]
    found = [path for name in names for path in Path("/sys/fs/cgroup").glob(f"**/longshore-*/{id_}/{name}")]
    return found[0].read_text().split()


def test_cpu_and_memory_of_the_task(longshore, tmp_path):
    """Of a container that says nothing of its own, within it: what is above its own group is not to be seen from there."""
    hungry = "until [ -e /out/now ]; do usleep 50000; done; dd if=/dev/zero of=/dev/null bs=200M count=1; exit $?"
    arn = longshore.start(longshore.register(
        "bounded", {"name": "app", "memory": None, "command": ["sh", "-c", hungry], "mountPoints": [{"sourceVolume": "out", "containerPath": "/out"}]},
        networkMode="none", cpu="256", memory="96", volumes=[{"name": "out", "host": {"sourcePath": str(tmp_path)}}]))[0]
    task = longshore.wait(arn, "RUNNING")
    assert (task["cpu"], task["memory"]) == ("256", "96")
    assert of_the_task(arn, "memory.max", "memory.limit_in_bytes") == [str(96 << 20)]
    quota = of_the_task(arn, "cpu.max", "cpu.cfs_quota_us")
    period = quota[1:] or of_the_task(arn, "cpu.cfs_period_us")
    assert int(quota[0]) * 4 == int(period[0])
    (tmp_path / "now").touch()
    container = longshore.wait(arn, "STOPPED")["containers"][0]
    assert (container["exitCode"], container["reason"]) == (137, "OutOfMemoryError: Container killed due to memory usage")


def test_swap(longshore, tmp_path):
    script = ("cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes /sys/fs/cgroup/memory/memory.swappiness 2> /dev/null"
              " || cat /sys/fs/cgroup/memory.swap.max")
    seen = inside(longshore, tmp_path, script, memory=64, linuxParameters={"maxSwap": 32, "swappiness": 11}).split()
    assert seen in ([str(96 << 20), "11"], [str(32 << 20)])
    # Without maxSwap it is ignored.
    script = "cat /sys/fs/cgroup/memory/memory.swappiness 2> /dev/null || echo none"
    assert inside(longshore, tmp_path, script, memory=64, linuxParameters={"swappiness": 11}).strip() != "11"


def test_hostname_and_names(longshore, tmp_path):
    seen = inside(
        longshore, tmp_path, "hostname; cat /etc/hostname; echo $HOSTNAME; cat /etc/hosts", network="bridge",
        hostname="box.corp", extraHosts=[{"hostname": "db", "ipAddress": "10.9.8.7"}],
    )
    lines = seen.splitlines()
    assert lines[:3] == ["box.corp"] * 3
    assert "10.9.8.7\tdb" in lines
    assert lines[-1].endswith("\tbox.corp box")


def test_resolvers(longshore, tmp_path):
    seen = inside(longshore, tmp_path, "cat /etc/resolv.conf", dnsServers=["10.1.1.1", "10.1.1.2"], dnsSearchDomains=["a.test", "b.test"])
    lines = [line for line in seen.splitlines() if line.split()[0] in ("nameserver", "search")]
    assert lines == ["search a.test b.test", "nameserver 10.1.1.1", "nameserver 10.1.1.2"]


def test_names_in_the_hosts_network(longshore, tmp_path):
    seen = inside(longshore, tmp_path, "grep db /etc/hosts; hostname", network="host", hostname="inner",
                  extraHosts=[{"hostname": "db", "ipAddress": "10.9.8.7"}])
    assert seen == "10.9.8.7\tdb\ninner\n"
    assert os.uname().nodename != "inner"


def test_links(longshore, tmp_path):
    db = {"name": "db", "essential": False, "command": ["sh", "-c", WAIT], "portMappings": [{"containerPort": 5432}],
          "environment": [{"name": "USER", "value": "me"}]}
    seen = inside(longshore, tmp_path, "grep store /etc/hosts; env | grep ^STORE_", others=[db], network="bridge", links=["db:store"])
    hosts, *variables = seen.splitlines()
    address, names = hosts.split("\t")
    assert names.split()[0] == "store" and names.split()[-1] == "db"
    variables = dict(line.split("=", 1) for line in variables)
    assert variables["STORE_PORT"] == variables["STORE_PORT_5432_TCP"] == f"tcp://{address}:5432"
    assert variables["STORE_NAME"] == "/app/store" and variables["STORE_ENV_USER"] == "me"


def test_disable_networking(longshore, tmp_path):
    seen = inside(longshore, tmp_path, "ip -o link | grep -c . ; ip -o link", network="bridge", disableNetworking=True)
    assert seen.splitlines()[0] == "1" and "LOOPBACK" in seen


@pytest.mark.parametrize("user, expected", [
    ("app", "1000 1000"), ("1000", "1000 1000"), ("app:extra", "1000 2000"), ("1000:2000", "1000 2000"),
    ("77", "77 0"), ("77:extra", "77 2000"), ("app:88", "1000 88"),
])
def test_user(longshore, tmp_path, user, expected):
    assert inside(longshore, tmp_path, "echo $(id -u) $(id -g)", user=user).strip() == expected


def test_volumes_from(longshore, tmp_path):
    source = {"name": "source", "essential": False, "command": ["sh", "-c", "echo hello > /data/file; " + WAIT],
              "mountPoints": [{"sourceVolume": "shared", "containerPath": "/data"}]}
    script = "until [ -s /data/file ]; do sleep 0.02; done; cat /data/file; touch /data/mine"
    seen = inside(longshore, tmp_path, script, others=[source], volumes=[{"name": "shared"}],
                  volumesFrom=[{"sourceContainer": "source", "readOnly": True}])
    assert seen.startswith("hello\n") and "Read-only file system" in seen


def test_docker_volumes(longshore, tmp_path):
    name = f"kept-{os.getpid()}"
    bound = tmp_path / "bound"
    bound.mkdir()
    (bound / "file").write_text("bound\n")
    mounts = [{"sourceVolume": name, "containerPath": "/kept"}, {"sourceVolume": "own", "containerPath": "/own"},
              {"sourceVolume": "bind", "containerPath": "/bound"}]
    options = {"type": "none", "o": "bind", "device": str(bound)}
    volumes = [
        {"name": name, "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, "driver": "local", "labels": {"a": "b"}}},
        {"name": "own", "dockerVolumeConfiguration": {"scope": "task", "driver": "local"}},
        {"name": "bind", "dockerVolumeConfiguration": {"scope": "task", "driver": "local", "driverOpts": options}},
    ]
    script = "cat /bound/file; cat /kept/note /own/note; echo kept > /kept/note; echo own > /own/note; cat /own/note"
    first = inside(longshore, tmp_path, script, volumes=volumes, mountPoints=mounts)
    assert first.splitlines()[0] == "bound" and first.splitlines()[-1] == "own"
    second = inside(longshore, tmp_path, script, volumes=volumes, mountPoints=mounts).splitlines()
    assert second[1] == "kept" and "/own/note" in second[2]


def test_labels_of_docker_volumes(longshore):
    name = f"labelled-{os.getpid()}"

    def shown(label):
        volumes = [
            {"name": name, "dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True, "driver": "local", "labels": {"by": label, "x.y": ""}}},
            {"name": "own", "dockerVolumeConfiguration": {"scope": "task", "labels": {"by": label}}},
            {"name": "plain", "dockerVolumeConfiguration": {"scope": "task"}},
            {"name": "unseen", "dockerVolumeConfiguration": {"scope": "task", "labels": {"by": label}}},
        ]
        mounts = [{"sourceVolume": volume, "containerPath": f"/{volume}"} for volume in (name, "own", "plain")]
        containers = [{"name": "app", "command": ["sh", "-c", WAIT], "mountPoints": mounts}, {"name": "bare", "command": ["sh", "-c", WAIT]}]
        arn = longshore.start(longshore.register("volumes", *containers, volumes=volumes, networkMode="none"))[0]
        longshore.wait(arn, "RUNNING")
        tasks = [one for one in json.loads(longshore.run("ps", "--json").stdout) if one["taskArn"] == arn]
        longshore.ecs.stop_task(task=arn)
        longshore.wait(arn, "STOPPED")
        by_name = {container["name"]: container for container in tasks[0]["containers"]}
        assert "volumeLabels" not in by_name["bare"]
        return by_name["app"]["volumeLabels"]

    assert shown("first") == {name: {"by": "first", "x.y": ""}, "own": {"by": "first"}}
    # A shared volume is there already; it keeps those of its making.
    assert shown("second") == {name: {"by": "first", "x.y": ""}, "own": {"by": "second"}}


def test_a_shared_volume_that_the_agent_may_not_make_is_a_plain_one(longshore, tmp_path):
    """As Docker makes one that a container names: without the definition's options and labels."""
    name, bound = f"plain-{os.getpid()}", tmp_path / "bound"
    bound.mkdir()
    options = {"type": "none", "o": "bind", "device": str(bound)}
    mounts = [{"sourceVolume": name, "containerPath": "/kept"}]

    def labels(autoprovision):
        volume = {"scope": "shared", "autoprovision": autoprovision, "driver": "local", "labels": {"a": "b"}, "driverOpts": options}
        script = f"echo seen >> /kept/file; {WAIT}"
        definition = longshore.register(
            "plain", {"name": "app", "command": ["sh", "-c", script], "mountPoints": mounts},
            volumes=[{"name": name, "dockerVolumeConfiguration": volume}], networkMode="none")
        arn, = longshore.start(definition)
        longshore.wait(arn, "RUNNING")
        shown, = (one for one in json.loads(longshore.run("ps", "--json").stdout) if one["taskArn"] == arn)
        longshore.ecs.stop_task(task=arn)
        longshore.wait(arn, "STOPPED")
        return shown["containers"][0].get("volumeLabels", {})

    assert labels(False) == {} and list(bound.iterdir()) == []
    name = f"stated-{os.getpid()}"
    mounts[0]["sourceVolume"] = name
    assert labels(True) == {name: {"a": "b"}} and [path.name for path in bound.iterdir()] == ["file"]


def test_a_directory_of_the_host_that_is_not_there_is_made(longshore, tmp_path):
    new = tmp_path / "not" / "yet"
    seen = inside(longshore, tmp_path, "echo here > /new/file; cat /new/file", volumes=[{"name": "new", "host": {"sourcePath": str(new)}}],
                  mountPoints=[{"sourceVolume": "new", "containerPath": "/new"}])
    assert seen == "here\n" and (new / "file").read_text() == "here\n"


@pytest.fixture(scope="module")
def furnished(longshore, tmp_path_factory):
    """An image with a directory that has content, an owner and a mode of its own."""
    path = tmp_path_factory.mktemp("images") / "furnished.tar"

    def layer(*members):
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, kind, mode, (uid, gid) in members:
                info = tarfile.TarInfo(name)
                info.type, info.mode, info.uid, info.gid, info.mtime = kind, mode, uid, gid, 1_700_000_000
                info.linkname = "srv/data" if kind == tarfile.SYMTYPE else ""
                content = b"of the image\n" if kind == tarfile.REGTYPE else b""
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return archive.getvalue()

    own, root = (77, 78), (0, 0)
    furniture = layer(
        ("srv/data", tarfile.DIRTYPE, 0o2750, (1000, 2000)), ("srv/data/in", tarfile.DIRTYPE, 0o700, own),
        ("srv/data/in/file", tarfile.REGTYPE, 0o4755, own), ("srv/data/in/gone", tarfile.REGTYPE, 0o644, own),
        ("data", tarfile.SYMTYPE, 0o777, root), ("opt/file", tarfile.REGTYPE, 0o644, root))
    # What a later layer hides is not there.
    hiding = layer(("srv/data", tarfile.DIRTYPE, 0o2750, (1000, 2000)), ("srv/data/in", tarfile.DIRTYPE, 0o700, own),
                   ("srv/data/in/.wh.gone", tarfile.REGTYPE, 0o644, root))
    longshore.load_image(images.save(path, "furnished:test", [images.busybox_layer(), furniture, hiding]))
    return "furnished:test"


LOOK = "stat -c '%n %a %u %g %Y' /data/. /data/in /data/in/file; ls /data/in; cat /data/in/file"
FURNISHED = ["/data/. 2750 1000 2000 1700000000", "/data/in 700 77 78 1700000000", "/data/in/file 4755 77 78 1700000000", "file", "of the image"]


@pytest.mark.parametrize("volume", [{"dockerVolumeConfiguration": {"scope": "task"}}, {"dockerVolumeConfiguration": {"scope": "shared", "autoprovision": True}},
                                    {}, {"host": {}}], ids=["task", "shared", "anonymous", "empty host"])
def test_a_new_volume_gets_what_the_image_has(longshore, tmp_path, furnished, volume):
    name = f"new-{os.getpid()}"
    fields = {"image": furnished, "volumes": [{"name": name} | volume], "mountPoints": [{"sourceVolume": name, "containerPath": "/data", "readOnly": False}]}
    seen = inside(longshore, tmp_path, f"{LOOK}; rm -r /data/in; echo mine > /data/own", **fields)
    assert seen.splitlines() == FURNISHED
    # The image itself is as it was.
    assert inside(longshore, tmp_path, LOOK, image=furnished).splitlines() == FURNISHED
    if "shared" in str(volume):
        # No second time: it is not empty any more.
        assert inside(longshore, tmp_path, "ls /data", **fields) == "own\n"


def test_a_volume_for_reading_alone_and_a_directory_of_the_host(longshore, tmp_path, furnished):
    host = tmp_path / "host"
    host.mkdir()
    volumes = [{"name": "new", "dockerVolumeConfiguration": {"scope": "task"}}, {"name": "host", "host": {"sourcePath": str(host)}}]
    mounts = [{"sourceVolume": "new", "containerPath": "/data", "readOnly": True}, {"sourceVolume": "host", "containerPath": "/opt"}]
    seen = inside(longshore, tmp_path, f"{LOOK}; touch /data/x 2> /dev/null || echo refused; ls /opt", image=furnished, volumes=volumes, mountPoints=mounts)
    assert seen.splitlines() == [*FURNISHED, "refused"]
    assert list(host.iterdir()) == []


def test_volumes_of_another_are_filled_by_the_one_whose_they_are(longshore, tmp_path, furnished):
    source = {"name": "source", "image": furnished, "essential": False, "command": ["sh", "-c", WAIT],
              "mountPoints": [{"sourceVolume": "shared", "containerPath": "/data"}]}
    seen = inside(longshore, tmp_path, LOOK, others=[source], volumes=[{"name": "shared", "dockerVolumeConfiguration": {"scope": "task"}}],
                  volumesFrom=[{"sourceContainer": "source"}])
    assert seen.splitlines() == FURNISHED


def test_volumes_that_an_image_asks_for(longshore, tmp_path):
    """They can be written to where the root cannot, and come with the volumes of another container."""
    layers = [images.busybox_layer(), images.layer({"data/file": (b"of the image\n", 0o644), "named/file": (b"hidden\n", 0o644)})]
    config = {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "Volumes": {"/data": {}, "/named": {}}}
    longshore.load_image(images.save(tmp_path / "volumes.tar", "volumes:test", layers, config))
    host = tmp_path / "named"
    host.mkdir()
    source = {"name": "source", "image": "volumes:test", "essential": False, "readonlyRootFilesystem": True,
              "command": ["sh", "-c", f"echo more >> /data/file; touch /root-is-closed || {WAIT}"],
              "mountPoints": [{"sourceVolume": "named", "containerPath": "/named"}]}
    script = "until grep more /data/file; do sleep 0.02; done; cat /data/file; ls /named"
    seen = inside(longshore, tmp_path, script, others=[source], volumes=[{"name": "named", "host": {"sourcePath": str(host)}}],
                  volumesFrom=[{"sourceContainer": "source"}])
    assert seen == "more\nof the image\nmore\n"
    # A container without them finds the image as it was.
    assert inside(longshore, tmp_path, "cat /data/file /named/file", image="volumes:test") == "of the image\nhidden\n"


def test_pid_and_ipc_of_the_task(longshore, tmp_path):
    other = {"name": "other", "essential": False, "command": ["sh", "-c", "echo there > /dev/shm/note; " + WAIT]}
    script = ("until [ -s /dev/shm/note ]; do sleep 0.02; done; cat /dev/shm/note; cat /proc/1/cmdline; echo;"
              " grep -l note /proc/[0-9]*/cmdline | wc -l")
    seen = inside(longshore, tmp_path, script, others=[other], task={"pidMode": "task", "ipcMode": "task"}).splitlines()
    assert seen[:2] == ["there", "longshore-init\0"]
    assert int(seen[2]) >= 2


def test_pid_and_ipc_of_the_host(longshore, tmp_path):
    seen = inside(longshore, tmp_path, "ls -Li /proc/self/ns/pid /proc/self/ns/ipc", task={"pidMode": "host", "ipcMode": "host"})
    numbers = [int(line.split()[0]) for line in seen.splitlines()]
    assert sorted(numbers) == sorted(os.stat(f"/proc/self/ns/{kind}").st_ino for kind in ("pid", "ipc"))


def test_ipc_of_none(longshore, tmp_path):
    assert "No such file" in inside(longshore, tmp_path, "ls -d /dev/shm", task={"ipcMode": "none"})


def test_pseudo_terminal(longshore, tmp_path):
    script = "for n in 0; do test -t $n && echo terminal; done; echo $TERM; test -c /dev/console && echo console"
    assert inside(longshore, tmp_path, script, pseudoTerminal=True) == "terminal\nxterm\nconsole\n"


def test_interactive(longshore, tmp_path):
    """Standard input has no end: `cat` waits until the task is stopped."""
    arn = longshore.start(longshore.register(
        "interactive", {"name": "app", "command": ["cat"], "interactive": True, "stopTimeout": 2},
        {"name": "side", "essential": False, "command": ["cat"]},
    ))[0]
    longshore.wait(arn, "RUNNING")

    def side_has_ended():
        by_name = {c["name"]: c for c in longshore.describe(arn)["containers"]}
        return by_name if by_name["side"]["lastStatus"] == "STOPPED" else None

    containers = eventually(side_has_ended, "the one without input to end")
    assert containers["side"]["exitCode"] == 0 and containers["app"]["lastStatus"] == "RUNNING"
    longshore.ecs.stop_task(task=arn)
    longshore.wait(arn, "STOPPED")


def test_docker_labels(longshore, tmp_path):
    labelled = images.save(tmp_path / "labelled.tar", "labelled:test", [images.busybox_layer()],
                           {"Cmd": ["/bin/sh"], "Env": ["PATH=/bin"], "Labels": {"team": "of the image", "vendor": "v"}})
    longshore.load_image(labelled)
    arn = longshore.register("labels", {"name": "app", "image": "labelled:test", "command": ["sh", "-c", WAIT], "dockerLabels": {"team": "a", "b.c": ""}})
    definition = longshore.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert definition["containerDefinitions"][0]["dockerLabels"] == {"team": "a", "b.c": ""}
    task = longshore.start(arn)[0]
    described = longshore.wait(task, "RUNNING")
    expected = {
        "team": "a", "b.c": "", "vendor": "v", "com.amazonaws.ecs.cluster": "default", "com.amazonaws.ecs.container-name": "app",
        "com.amazonaws.ecs.task-arn": task, "com.amazonaws.ecs.task-definition-family": "labels",
        "com.amazonaws.ecs.task-definition-version": str(definition["revision"])}

    def shown(*flags):
        found = [one for one in json.loads(longshore.run("ps", "--json", *flags).stdout) if one["taskArn"] == task]
        return found[0] if found else None

    seen = shown()
    assert seen["lastStatus"] == "RUNNING" and seen["containers"][0]["runtimeId"] == described["containers"][0]["runtimeId"]
    assert seen["containers"][0]["labels"] == expected
    # An agent that comes later knows them from the record.
    longshore.kill("agent")
    assert eventually(lambda: shown()["containers"][0].get("labels"), "the agent to be back") == expected
    longshore.ecs.stop_task(task=task)
    longshore.wait(task, "STOPPED")
    eventually(lambda: "labels" not in shown("--all")["containers"][0], "the host to forget them")
    assert shown() is None


SAY = "echo to stdout; echo to stderr >&2; printf unended; trap 'exit 0' TERM; while :; do sleep 0.05; done"


def logs_of(longshore, **configuration):
    """What its container wrote, as the host has it on disk while it runs, by stream; and every file that has it."""
    fields = {"logConfiguration": configuration} if configuration else {}
    arn = longshore.start(longshore.register("logs", {"name": "app", "command": ["sh", "-c", SAY]} | fields, networkMode="none"))[0]
    longshore.wait(arn, "RUNNING")
    life = Life(longshore, arn)

    def records():
        # The last may be half written.
        return [json.loads(line) for file in life.container_dir.glob("log.json*")
                for line in file.read_text().splitlines(keepends=True) if line.endswith("\n")]

    return arn, records


@pytest.mark.parametrize("configuration", [{}, {"logDriver": "json-file"}, {"logDriver": "json-file", "options": {"max-size": "1m", "max-file": "3"}}],
                         ids=["none asked for", "json-file", "json-file with options"])
def test_the_log_driver_json_file(longshore, configuration):
    arn, records = logs_of(longshore, **configuration)
    eventually(lambda: len(records()) >= 2, "both lines")
    assert {record["stream"]: record["log"] for record in records()} == {"stdout": "to stdout\n", "stderr": "to stderr\n"}
    longshore.ecs.stop_task(task=arn)
    longshore.wait(arn, "STOPPED")


def test_the_log_driver_json_file_is_bounded(longshore):
    """Three files of a kilobyte, whatever is written."""
    script = f"seq 1 500; echo end; {WAIT}"
    arn = longshore.start(longshore.register("bounded", {
        "name": "app", "command": ["sh", "-c", script], "logConfiguration": {"logDriver": "json-file", "options": {"max-size": "1k", "max-file": "3"}}}))[0]
    longshore.wait(arn, "RUNNING")
    place = Life(longshore, arn).container_dir
    newest = place / "log.json"
    eventually(lambda: newest.exists() and '"end\\n"' in newest.read_text(), "the last line")
    files = sorted(place.glob("log.json*"))
    assert [file.name for file in files] == ["log.json", "log.json.1", "log.json.2"]
    assert all(file.stat().st_size <= 1024 for file in files)
    # What is kept is the newest of it, in order.
    kept = [json.loads(line)["log"].strip() for file in reversed(files) for line in file.read_text().splitlines()]
    assert kept == [*(str(n) for n in range(501 - len(kept) + 1, 501)), "end"]
    longshore.ecs.stop_task(task=arn)
    longshore.wait(arn, "STOPPED")


def test_the_log_driver_none(longshore):
    """Nothing of it is anywhere, and writing more than a pipe holds stops nothing."""
    script = f"seq 1 100000; echo secret; touch /dev/shm/done; {WAIT}"
    check = {"command": ["CMD", "test", "-e", "/dev/shm/done"], "interval": 5, "retries": 10}
    arn = longshore.start(longshore.register("silent", {
        "name": "app", "command": ["sh", "-c", script], "logConfiguration": {"logDriver": "none"}, "healthCheck": check}, networkMode="none"))[0]
    longshore.wait(arn, "RUNNING")
    eventually(lambda: longshore.describe(arn)["healthStatus"] == "HEALTHY", "it to have written everything")
    life = Life(longshore, arn)
    assert life.dir.exists() and not list(life.dir.rglob("log.json*"))
    longshore.ecs.stop_task(task=arn)
    longshore.wait(arn, "STOPPED")


@pytest.mark.parametrize("options, words", [
    ({"max-sise": "1m"}, "CannotCreateContainerError: Error response from daemon: unknown log opt 'max-sise' for json-file log driver"),
    ({"max-size": "much"}, "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: invalid size: 'much'"),
    ({"max-file": "0"}, "CannotStartContainerError: Error response from daemon: failed to initialize logging driver: max-file cannot be less than 1"),
], ids=["name", "size", "count"])
def test_an_option_that_the_driver_does_not_take(longshore, options, words):
    assert reason(longshore, logConfiguration={"logDriver": "json-file", "options": options}) == words
