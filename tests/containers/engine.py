"""The container engine of the tests: the one that answers, or a dockerd of their own, started as root and stopped by
its process id. Their own has its own folders, socket and bridge, and what it adds to the machine's packet filter is
taken out again.
"""
import contextlib
import glob
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter

START_SECONDS_MAX = 60
STOP_SECONDS_MAX = 60


class Unavailable(Exception):
    """Containers cannot run here; the text says why and what would help."""


def output_of(*words):
    return subprocess.run(words, capture_output=True, text=True).stdout


def answers(host=None):
    """Whether an engine answers, at `host` or where the environment says."""
    environment = {**os.environ, **({"DOCKER_HOST": host} if host else {})}
    try:
        return subprocess.run(["docker", "info"], capture_output=True, env=environment, timeout=30).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def docker_groups():
    """The control groups below which an engine puts its containers', in each hierarchy."""
    return [*glob.glob("/sys/fs/cgroup/docker"), *glob.glob("/sys/fs/cgroup/*/docker")]


class PacketFilter:
    """What `iptables -S` prints of each table: an engine adds chains and rules, and leaves them when it ends."""
    TABLES = ("filter", "nat")

    def __init__(self, rules=None):
        self.rules = rules or {table: output_of("iptables", "-t", table, "-S").splitlines() for table in self.TABLES}

    def restore(self):
        """Takes out what came since, and sets policies back. What others had added is not touched."""
        now = PacketFilter().rules
        for table in self.TABLES:
            added = [line.split(" ", 1) for line in (Counter(now[table]) - Counter(self.rules[table])).elements()]
            before = dict(line.split()[1:] for line in self.rules[table] if line.startswith("-P"))
            for verb, rest in sorted(added):  # -A before -N: a chain goes when nothing leads to it
                words = rest.split()
                if verb == "-A" and ("DOCKER" in rest or "docker" in rest or "fanfold" in rest):
                    self.change(table, "-D", *words)
                elif verb == "-N" and rest.startswith("DOCKER"):
                    self.change(table, "-F", rest)
                    self.change(table, "-X", rest)
                elif verb == "-P" and words[0] in before:
                    self.change(table, "-P", words[0], before[words[0]])

    @staticmethod
    def change(table, *words):
        subprocess.run(["iptables", "-t", table, *words], capture_output=True)


class OwnEngine:
    """A dockerd of ours. `record` is all that whoever stops it needs, and may be kept in a file."""

    def __init__(self, record):
        self.record = record

    @classmethod
    def start(cls, data_root):
        if os.geteuid() != 0:
            raise Unavailable("no container engine answers, and only root can start one: run this as root, or start "
                              "Docker")
        for program in ("dockerd", "containerd", "runc", "ip", "iptables"):
            if shutil.which(program) is None:
                raise Unavailable(f"no container engine answers, and {program} is not installed: "
                                  "scripts/setup containers")
        folder = pathlib.Path(tempfile.mkdtemp(prefix="fanfold-engine-"))  # short: sockets lie in it
        bridge = f"fanfold{os.getpid() % 100000}"
        engine = cls({"host": f"unix://{folder}/docker.sock", "folder": str(folder), "data_root": str(data_root),
                      "bridge": bridge, "rules": PacketFilter().rules, "groups": docker_groups(),
                      "ip_forward": pathlib.Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()})
        try:
            engine._start(folder, pathlib.Path(data_root))
        except BaseException:
            engine.stop()
            raise
        return engine

    def _start(self, folder, data_root):
        data_root.mkdir(parents=True, exist_ok=True)
        self._make_bridge()
        (folder / "daemon.json").write_text("{}")  # not the machine's own settings
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                ["dockerd", "--config-file", folder / "daemon.json", "--host", self.record["host"],
                 "--data-root", data_root, "--exec-root", folder / "exec", "--pidfile", folder / "pid",
                 "--bridge", self.record["bridge"]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.record["pid"] = process.pid
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if process.poll() is not None:
                break
            if answers(self.record["host"]):
                return
            time.sleep(0.2)
        said = [line for line in (folder / "log").read_text(errors="replace").splitlines() if line.strip()]
        raise Unavailable(f"dockerd does not start here; the last it said: {said[-1] if said else 'nothing'}")

    def _make_bridge(self):
        """A bridge of its own name, in a network that no route of this machine leads to."""
        routes = output_of("ip", "-4", "route")
        subnet = next(f"10.{number}.0" for number in range(213, 250) if f"10.{number}." not in routes)
        for words in (("link", "add", "name", self.record["bridge"], "type", "bridge"),
                      ("address", "add", f"{subnet}.1/24", "dev", self.record["bridge"]),
                      ("link", "set", self.record["bridge"], "up")):
            done = subprocess.run(["ip", *words], capture_output=True, text=True)
            if done.returncode != 0:
                raise Unavailable("no container engine answers, and one cannot be started: "
                                  f"ip {' '.join(words)}: {done.stderr.strip()}")

    def runs(self):
        """Whether the process is still the dockerd that we started."""
        try:
            command = pathlib.Path(f"/proc/{self.record['pid']}/cmdline").read_bytes()
        except (KeyError, OSError):
            return False
        return self.record["folder"].encode() in command

    def stop(self):
        """Stops it and the processes it started, and removes all that it made."""
        if self.runs():
            environment = {**os.environ, "DOCKER_HOST": self.record["host"]}
            left = subprocess.run(["docker", "ps", "--all", "--quiet"], capture_output=True, text=True, env=environment)
            if left.stdout.split():
                subprocess.run(["docker", "rm", "--force", "--volumes", *left.stdout.split()], capture_output=True,
                               env=environment)
            subprocess.run(["docker", "network", "prune", "--force"], capture_output=True, env=environment)
            os.kill(self.record["pid"], signal.SIGTERM)
            deadline = time.monotonic() + STOP_SECONDS_MAX
            while self.runs() and time.monotonic() < deadline:
                time.sleep(0.1)
            if self.runs():
                os.kill(self.record["pid"], signal.SIGKILL)
        for group in set(docker_groups()) - set(self.record["groups"]):
            for folder, _, _ in os.walk(group, topdown=False):
                with contextlib.suppress(OSError):  # of an engine that was killed: its containers may still end
                    os.rmdir(folder)  # the files of a control group go with it
        subprocess.run(["ip", "link", "delete", self.record["bridge"]], capture_output=True)
        PacketFilter(self.record["rules"]).restore()
        pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text(self.record["ip_forward"])
        for folder in (self.record["folder"], self.record["data_root"]):
            self._unmount_below(folder)
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _unmount_below(folder):
        """An engine that was killed leaves mounts, innermost last in the kernel's list."""
        mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
        for mount in reversed([mount for mount in mounts if mount.startswith(folder + "/")]):
            subprocess.run(["umount", "--lazy", mount], capture_output=True)


class Engine:
    """Docker's command line, at the engine of these tests."""

    def __init__(self, host):
        self.host = host
        if host:
            os.environ["DOCKER_HOST"] = host  # for docker-compose too

    def docker(self, *words, check=True, timeout=120, **options):
        done = subprocess.run(["docker", *map(str, words)], stdin=options.pop("stdin", subprocess.DEVNULL),
                              capture_output=True, timeout=timeout, **options)
        if check and done.returncode != 0:
            said = (done.stderr + done.stdout[-2000:]).decode(errors="replace")
            raise AssertionError(f"docker {' '.join(map(str, words))} ended with {done.returncode}: {said}")
        return done

    def text(self, *words, **options):
        return self.docker(*words, **options).stdout.decode(errors="replace").strip()

    def inspect(self, kind, name):
        return json.loads(self.text(kind, "inspect", name))[0]

    def has_image(self, name):
        return self.docker("image", "inspect", name, check=False).returncode == 0
