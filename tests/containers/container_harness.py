"""A fleet in containers on a private network: a root and workers with limits of processors and memory, a client, and
the volumes that the fixture filled. Each test has a network and names of its own, and removes what it made.

Usage of each file: NAME_test.py FIXTURE_FOLDER SOURCE_FOLDER [Sentence]... Exit 77: skipped, with the reason.
"""
import json
import os
import pathlib
import subprocess
import sys
import time
import unittest

from engine import Engine

FIXTURE = pathlib.Path(sys.argv[1]).resolve() / "fixture.json"
SOURCE = pathlib.Path(sys.argv[2]).resolve()
TIMEOUT_S = 120
ROOT = "tcp://root:7117"
NUMBERS = "/plugins/libnumbers.so"
MISBEHAVE = "/plugins/libmisbehave.so"
GATE = "/gate/open"


class ContainerTest(unittest.TestCase):
    def setUp(self):
        self.fixture = json.loads(FIXTURE.read_text())
        self.engine = Engine(self.fixture["host"])
        self.image = self.fixture["image"]
        self.prefix = f"fanfold-test-{os.getpid()}"
        self.containers = []
        self.clients = []
        self.engine.docker("network", "create", "--internal", self.prefix)
        self.engine.docker("volume", "create", self.prefix)

    def tearDown(self):
        for client in self.clients:
            client.kill()
            client.communicate()
        if self.has_failed():
            for container in self.containers:
                print(f"--- {container} said:\n{self.log(container)}")
        if self.containers:
            self.engine.docker("rm", "--force", "--volumes", *self.containers, check=False)
        self.engine.docker("network", "rm", self.prefix, check=False)
        self.engine.docker("volume", "rm", self.prefix, check=False)

    def has_failed(self):
        result = self._outcome.result
        return any(test is self for test, _ in [*result.failures, *result.errors])

    # ---- containers ----------------------------------------------------------------------------

    def run_container(self, name, *words, cpus="1", memory="512m", options=()):
        """Starts one in the background; `words` go to the image's entry point."""
        container = f"{self.prefix}-{name}"
        self.containers.append(container)
        volumes = [f"{self.volume('data')}:/data:ro", f"{self.volume('jobs')}:/plugins:ro",
                   f"{self.volume('keys')}:/keys:ro", f"{self.prefix}:/gate:ro"]
        self.engine.docker(
            "run", "--detach", "--name", container, "--hostname", name, "--network", self.prefix,
            "--network-alias", name, "--cpus", cpus, "--memory", memory, "--memory-swap", memory,
            *[word for volume in volumes for word in ("--volume", volume)], *options, self.image, *words)
        return container

    def volume(self, name):
        return self.fixture["volumes"][name]

    def start_root(self, *flags, keys=("--keys", "/keys"), **limits):
        self.root = self.run_container(
            "root", "root", "--listen", "tcp://0.0.0.0:7117", "--advertise", "root", "--gather-ports", "7200-7215",
            "--http", "0.0.0.0:7118", *keys, *flags, **limits)
        self.client = self.run_container(
            "client", "infinity", options=("--entrypoint", "sleep", "--init", "--env", f"FANFOLD_ROOT={ROOT}", "--env",
                                           "FANFOLD_KEYS=" + (keys[1] if len(keys) > 1 else "")))
        self.wait_until(lambda: "the root listens at" in self.log(self.root), "the root listens")

    def start_worker(self, name, *flags, cpus="0.5", memory="256m", keys=("--keys", "/keys"), options=()):
        worker = self.run_container(name, "worker", "--root", ROOT, "--http", "0.0.0.0:7118", *keys, *flags, cpus=cpus,
                                    memory=memory, options=options)
        self.wait_for_node(name)
        return worker

    def start_fleet(self, workers=4, *worker_flags):
        self.start_root()
        self.workers = {name: self.start_worker(name, *worker_flags)
                        for name in (f"w{number}" for number in range(workers))}

    def log(self, container):
        said = self.engine.docker("logs", container, check=False)
        return (said.stdout + said.stderr).decode(errors="replace")

    def state(self, container):
        return self.engine.inspect("container", container)["State"]

    # ---- the client ----------------------------------------------------------------------------

    def inside(self, container, *words, check=True, user=None):
        options = ("--user", user) if user else ()
        return self.engine.docker("exec", *options, container, *words, check=check, timeout=TIMEOUT_S)

    def fanfold(self, *words, check=True):
        return self.inside(self.client, "fanfold", *words, check=check)

    def start_run(self, *words):
        """`fanfold run` at the root, as a process of the client's container."""
        client = subprocess.Popen(["docker", "exec", self.client, "fanfold", "run", *map(str, words)],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.clients.append(client)
        return client

    def end_of(self, client):
        out, error = client.communicate(timeout=TIMEOUT_S)
        return client.returncode, out, error.decode(errors="replace")

    def twin(self, *words):
        """The same job without engine or fleet: one thread, one partial."""
        return self.inside(self.client, "env", "--unset=FANFOLD_ROOT", "--unset=FANFOLD_KEYS", "fanfold", "run", *words,
                           "--sequential").stdout

    def nodes(self):
        told = json.loads(self.fanfold("workers", "--json").stdout)["workers"]
        return {node["name"]: node for node in told}

    def runs(self):
        return json.loads(self.fanfold("ps", "--json").stdout)["runs"]

    # ---- runs that can be disturbed --------------------------------------------------------------

    SHARDS = 20_000

    def gated(self):
        """A run whose shards take their time until open_gate(): whatever is done meanwhile is done in mid-run."""
        return [NUMBERS, f"range:0..{self.SHARDS * 10}", "--shard-items", 10, "--modulus", 7, "--milliseconds", 100,
                "--hurry", GATE, "--format", "csv"]

    def start_gated_run(self):
        run = self.start_run(*self.gated())
        self.wait_until(lambda: all(node["slots_used"] > 0 for node in self.nodes().values()), "all workers map")
        return run

    def open_gate(self):
        opener = f"{self.prefix}-gate"
        self.engine.docker("run", "--rm", "--name", opener, "--user", "0", "--network", "none",
                           "--volume", f"{self.prefix}:/gate", "--entrypoint", "touch", self.image, GATE)

    def assert_ends_as_the_twin(self, run):
        """The run is still going on; it is let go, and ends with the bytes of its twin."""
        self.assertIsNone(run.poll(), "what was done was done in mid-run")
        self.open_gate()
        code, out, error = self.end_of(run)
        self.assertEqual(code, 0, error)
        self.assertEqual(out, self.twin(*self.gated()))

    # ---- waiting -------------------------------------------------------------------------------

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.1)
        self.fail(f"waited in vain: {what}")

    def wait_for_node(self, name):
        return self.wait_until(lambda: self.nodes().get(name), f"{name} has joined")

    def wait_until_gone(self, name):
        self.wait_until(lambda: name not in self.nodes(), f"the root has given up {name}")

    def wait_until_mapping(self, name):
        self.wait_until(lambda: self.nodes().get(name, {}).get("slots_used", 0) > 0, f"{name} maps")


def main(case, on_the_fixture=True):
    """Runs the sentences named, or all; those on the fixture are skipped loudly where it was."""
    skipped = json.loads(FIXTURE.read_text()).get("skipped") if on_the_fixture else None
    if skipped:
        print(f"SKIPPED: {skipped}")
        sys.exit(77)
    names = [f"test_{name}" for name in sys.argv[3:]] or unittest.TestLoader().getTestCaseNames(case)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(unittest.TestSuite(map(case, names)))
    if result.skipped and len(result.skipped) == result.testsRun:
        print("\n".join(f"SKIPPED: {reason}" for _, reason in result.skipped))
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
