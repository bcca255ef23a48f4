"""The proxy of Service Connect beside the agent: each is killed while clients talk."""

import collections
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import connect
import pytest
from harness import eventually

# Answers who it is, keeps connections, and streams numbers until a file is there.
SERVER = """
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def chunk(self, text):
        self.wfile.write(f"{len(text):x}\\r\\n{text}\\r\\n".encode())
        self.wfile.flush()
    def do_GET(self):
        self.send_response(200)
        if self.path != "/stream":
            self.send_header("content-length", str(len(sys.argv[1])))
            self.end_headers()
            self.wfile.write(sys.argv[1].encode())
            return
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        number = 0
        while not os.path.exists(sys.argv[2]):
            self.chunk(f"{number}\\n")
            number += 1
            time.sleep(0.01)
        self.chunk("end\\n")
        self.chunk("")
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("", 80), Handler)
print("ready", flush=True)
server.serve_forever()
"""
# Asks on one connection until a file is there; any failure is its end.
CLIENT = """
import http.client, os, sys
connection = http.client.HTTPConnection("127.255.0.1", 80, timeout=20)
connection.connect()
kept, count = connection.sock, 0
while not os.path.exists(sys.argv[1]):
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200 and answer.read() and connection.sock is kept, answer.status
    count += 1
    if count == 1:
        print("ready", flush=True)
print(count)
"""


@contextmanager
def within(longshore, task, script, *arguments):
    """A Python program in a task's network that has said it is ready, until the block ends."""
    running = subprocess.Popen(
        ["nsenter", f"--net=/proc/{connect.pid(longshore.data, task)}/ns/net", sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert running.stdout.readline() == "ready\n", running.stderr.read()
        yield running
    finally:
        running.kill()
        running.communicate()


@pytest.fixture
def called(fresh):
    """A service of two tasks and a client of it."""
    fresh.ecs.create_cluster(clusterName="kept", serviceConnectDefaults={"namespace": "kept"})
    port = {"name": "web", "containerPort": 80, "appProtocol": "http"}
    # A target that does not listen yet rests for half a minute: longer than an answer may take by default.
    exposed = connect.exposed("web", "kept", 80, timeout={"perRequestTimeoutSeconds": 0})
    connect.create(fresh, "kept", connect.sleeper(fresh, "kept", port), connect.configuration("kept", exposed), 2)
    servers = connect.running(fresh, "kept", 2)
    connect.create(fresh, "caller", connect.sleeper(fresh, "caller"), connect.configuration("kept"))
    client, = connect.running(fresh, "caller")
    yield servers, client
    # What an agent took over goes with its tasks, and with it the names.
    connect.remove(fresh, "caller", "kept")


def restart(longshore):
    """kill -9 of the agent; returns once the next one answers."""
    before = longshore.kill("agent")
    eventually(lambda: longshore.pid("agent") not in (0, None, before), "another agent")
    eventually(lambda: longshore.run("image", "list", check=False).returncode == 0, "it to answer")


def kill_proxy(longshore):
    """kill -9 of the proxy; returns its pid once its sockets are closed: what it takes while it dies, dies with it."""
    pid = connect.proxy(longshore.data)
    os.kill(pid, signal.SIGKILL)

    def is_gone():
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
        except OSError:
            return True

    eventually(is_gone, "the proxy to end")
    return pid


def answers(longshore, client, count):
    got = [connect.curl(longshore.data, client, "http://kept/") for _ in range(count)]
    assert {status for status, _ in got} == {200}, got
    return set(body for _, body in got)


def test_no_request_is_lost_to_an_agent_that_is_killed(fresh, called, tmp_path):
    (one, two), client = called
    over = tmp_path / "over"
    streamed = tmp_path / "streamed"
    with within(fresh, one, SERVER, "one", str(over)), within(fresh, two, SERVER, "two", str(over)):
        proxy = connect.proxy(fresh.data)
        first = connect.pid(fresh.data, client)
        download = subprocess.Popen([
            "nsenter", f"--net=/proc/{first}/ns/net", "curl", "-sSN", "-o", str(streamed), "http://127.255.0.1/stream"],
            stderr=subprocess.PIPE, text=True)
        with within(fresh, client, CLIENT, str(over)) as asking:
            eventually(lambda: streamed.exists() and streamed.stat().st_size, "the download to begin")
            for _ in range(2):
                restart(fresh)
                # Which of them is asked also depends on what else is asked meanwhile.
                eventually(lambda: answers(fresh, client, 4) == {"one", "two"}, "both to be asked")
            # The next agent tells the same proxy what is new.
            fresh.ecs.update_service(service="kept", desiredCount=3)
            all_of = connect.running(fresh, "kept", 3)
            three, = (task for task in all_of if task["taskArn"] not in (one["taskArn"], two["taskArn"]))
            with within(fresh, three, SERVER, "three", str(over)):
                # Before its server was there it may have failed so often that it rests for half a minute.
                eventually(lambda: "three" in answers(fresh, client, 4), "the third to be asked too", 90)
            assert connect.proxy(fresh.data) == proxy
            assert asking.poll() is None, asking.communicate()
            over.touch()
            count, errors = asking.communicate(timeout=60)
            assert asking.returncode == 0 and int(count) > 0, errors
        assert download.wait(timeout=60) == 0, download.stderr.read()
        lines = streamed.read_text().split()
        assert lines[-1] == "end" and lines[:-1] == [str(number) for number in range(len(lines) - 1)]


def test_who_connects_while_there_is_no_proxy_waits_for_the_next(fresh, called, tmp_path):
    (one, two), client = called
    with within(fresh, one, SERVER, "one", str(tmp_path / "over")), within(fresh, two, SERVER, "two", str(tmp_path / "over")):
        for _ in range(3):
            before = kill_proxy(fresh)
            assert answers(fresh, client, 4) == {"one", "two"}
            assert connect.proxy(fresh.data) not in (0, before)
        # One after another, before anybody sees to it.
        restart(fresh)
        kill_proxy(fresh)
        assert answers(fresh, client, 4) == {"one", "two"}
        # Both at once: nobody holds the sockets, and they are made anew.
        kill_proxy(fresh)
        restart(fresh)
        eventually(lambda: connect.curl(fresh.data, client, "http://kept/")[0] == 200, "the name to lead there again")
        assert collections.Counter(answers(fresh, client, 8)).keys() == {"one", "two"}


def test_containers_that_are_kept_keep_their_proxy_and_down_ends_it(fresh, called, tmp_path):
    (one, two), client = called
    with within(fresh, one, SERVER, "one", str(tmp_path / "over")), within(fresh, two, SERVER, "two", str(tmp_path / "over")):
        fresh.down("--keep")
        assert answers(fresh, client, 4) == {"one", "two"}
        fresh.up()
        assert answers(fresh, client, 4) == {"one", "two"}
    # The fixture finds that `down` leaves nothing.


# Takes a port until it is ended.
TAKER = """
import signal, socket, sys
taken = socket.create_server(("", int(sys.argv[1])))
print("ready", flush=True)
signal.pause()
"""


def said(longshore, text):
    return lambda: text in (longshore.data / "log" / "agent.log").read_text()


def test_names_that_cannot_be_made_anew_at_once_come_back_once_they_can(fresh, tmp_path):
    fresh.ecs.create_cluster(clusterName="kept", serviceConnectDefaults={"namespace": "kept"})
    port = {"name": "web", "containerPort": 80, "appProtocol": "http"}
    exposed = connect.exposed("web", "kept", 80, ingressPortOverride=9000)
    connect.create(fresh, "kept", connect.sleeper(fresh, "kept", port), connect.configuration("kept", exposed))
    task, = connect.running(fresh, "kept")
    with within(fresh, task, SERVER, "one", str(tmp_path / "over")):
        eventually(lambda: connect.curl(fresh.data, task, "http://kept/") == (200, "one"), "the name to lead there")
        fresh.down("--keep")
        # Nobody has the sockets any more, and somebody else takes the port of one.
        os.kill(connect.proxy(fresh.data), signal.SIGKILL)
        eventually(lambda: not connect.proxy(fresh.data), "the proxy to be gone")
        with within(fresh, task, TAKER, "9000"):
            fresh.up()
            eventually(said(fresh, "a task's proxy cannot be opened again"), "the agent to fail")
            assert connect.curl(fresh.data, task, "http://kept/")[0] == 0
        eventually(lambda: connect.curl(fresh.data, task, "http://kept/") == (200, "one"), "the name to lead there again")
    connect.remove(fresh, "kept")


def test_a_proxy_that_has_no_descriptor_left_goes_on(fresh, called, tmp_path):
    (one, two), client = called
    over = tmp_path / "over"
    with within(fresh, one, SERVER, "one", str(over)), within(fresh, two, SERVER, "two", str(over)):
        with within(fresh, client, CLIENT, str(over)) as asking:
            proxy = connect.proxy(fresh.data)
            # No higher number than those in use: nobody can be taken at its door.
            subprocess.run(["prlimit", f"--pid={proxy}", "--nofile=3:"], check=True)
            before = fresh.kill("agent")
            log = fresh.data / "run" / "proxy.log"
            eventually(lambda: "an agent cannot be taken" in log.read_text(), "the next agent to wait")
            subprocess.run(["prlimit", f"--pid={proxy}", "--nofile=4096:"], check=True)
            eventually(lambda: fresh.pid("agent") not in (0, None, before), "another agent")
            eventually(lambda: fresh.run("image", "list", check=False).returncode == 0, "it to answer")
            assert connect.proxy(fresh.data) == proxy
            over.touch()
            count, errors = asking.communicate(timeout=60)
            assert asking.returncode == 0 and int(count) > 0, errors
