"""A fleet as its operator starts it: a root and workers on loopback, each in the test's TMPDIR, by which their
processes are known. Everything is ended by its process id, and must leave nothing behind.

Usage of each file: fleet_NAME_test.py PROGRAM TEST_JOBS_FOLDER [Sentence]...
"""
import json
import os
import signal
import subprocess
import threading

from harness import *  # tests/integration/run

STRANGER = os.environ.get("FANFOLD_STRANGER", "")


class FleetTest(RunTest):
    def setUp(self):
        super().setUp()
        self.started = []
        self.url = None

    def tearDown(self):
        super().tearDown()
        for process in self.started:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()

    # ---- the fleet -----------------------------------------------------------------------------

    def reading(self, process):
        """Keeps what a process says on standard error, as it comes."""
        process.said = []

        def read():
            for line in process.stderr:
                process.said.append(line.decode(errors="replace"))
        process.reader = threading.Thread(target=read, daemon=True)
        process.reader.start()
        self.started.append(process)
        return process

    def says(self, process, words):
        def found():
            return next((line for line in process.said if words in line), None)
        return self.wait_until(found, f"{words!r} is said: {''.join(process.said)}")

    def start_root(self, *flags, listen="tcp://127.0.0.1:0", **options):
        root = self.reading(self.start("root", "--listen", listen, "--plugin-path", TEST_JOBS, *flags, **options))
        line = self.says(root, "the root listens at ")
        self.url = re.search(r"listens at (tcp://[^\s,\"]+)", line)[1]
        self.root = root
        return root

    def start_worker(self, name, slots=2, *flags, **options):
        worker = self.reading(self.start("worker", "--root", self.url, "--slots", slots, "--name", name, "--plugin-path",
                                         TEST_JOBS, *flags, **options))
        self.says(worker, "has joined")
        return worker

    def start_fleet(self, workers=3, slots=2, *root_flags):
        self.start_root(*root_flags)
        self.workers = [self.start_worker(f"w{number}", slots) for number in range(workers)]

    def stop_fleet(self):
        """Ends root and workers, the way an operator does; nothing of them may be left."""
        for process in [*getattr(self, "workers", []), self.root]:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in [*getattr(self, "workers", []), self.root]:
            self.assertEqual(process.wait(timeout=30), 0, "".join(process.said))
        self.assert_nothing_left()

    # ---- its clients ---------------------------------------------------------------------------

    def at_root(self, *arguments, **options):
        return self.fanfold(*arguments, "--root", self.url, **options)

    def done_at_root(self, *arguments, **options):
        done = self.at_root(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def start_at_root(self, *arguments, **options):
        process = self.start(*arguments, "--root", self.url, **options)
        self.started.append(process)
        return process

    def submit(self, *arguments):
        out = self.done_at_root("submit", *arguments).decode()
        self.assertRegex(out, r"\A[0-9a-f]{32}\n\Z")
        return out.strip()

    def runs(self):
        return {run["run_id"]: run for run in json.loads(self.done_at_root("ps", "--json"))["runs"]}

    def nodes(self):
        return {node["name"]: node for node in json.loads(self.done_at_root("workers", "--json"))["workers"]}

    def wait_for_stage(self, run, *stages):
        return self.wait_until(lambda: (lambda record: record if record["stage"] in stages else None)(self.runs()[run]),
                               f"run {run} is {stages}")

    def twin(self, *arguments):
        return self.done("run", *arguments, "--sequential").stdout

    def slow(self, shards, milliseconds=50):
        """A run of so many shards that takes its time, and answers the same on any fleet."""
        return [TEST_JOBS / "libnumbers.so", f"range:0..{shards}", "--shard-items", 1, "--modulus", 7,
                "--milliseconds", milliseconds]

    def children_of(self, pid, role):
        found = []
        for child, name in self.processes():
            if name != role:
                continue
            try:
                parent = int(open(f"/proc/{child}/stat").read().rsplit(")", 1)[1].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(child)
        return found
