#!/usr/bin/env python3
"""What a fleet's nodes tell their operator: text, or JSON lines, of which each is a record."""
from fleet_harness import *

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class FleetLogs(FleetTest):
    def records_of(self, process):
        """Of a process that has ended."""
        process.reader.join(timeout=TIMEOUT_S)
        return [json.loads(line) for line in process.said]

    def test_ANodeThatLogsJsonWritesNothingElse(self):
        flags = ["--log-format", "json", "--log-level", "debug"]
        self.start_root("--http", f"{'127.0.0.1'}:0", *flags)
        self.workers = [self.start_worker("w1", 1, *flags), self.start_worker("w\x1b[31m\n", 1, *flags)]
        done = self.submit("wordcount", self.file("text", b"a b a\n"))
        self.wait_for_stage(done, "done")
        slow = self.start_at_root("run", *self.slow(60), "--format", "csv")
        self.wait_until(lambda: all(node["slots_used"] > 0 for node in self.nodes().values()), "both map")
        run = next(run for run, told in self.runs().items() if told["stage"] == "running")
        supervisor = self.children_of(self.workers[0].pid, "internal-worker")[0]
        gatherer = self.children_of(self.root.pid, "internal-gatherer")[0]
        for pid in (supervisor, gatherer):
            os.kill(pid, signal.SIGKILL)
        out, error = slow.communicate(timeout=TIMEOUT_S)
        self.assertEqual(slow.returncode, 0, error.decode(errors="replace"))
        failed = self.submit(MISBEHAVE, "range:0..10", "--do", "fault", "--at", "map")
        self.wait_for_stage(failed, "failed")
        self.stop_fleet()

        of_root, of_worker = self.records_of(self.root), self.records_of(self.workers[0])
        self.records_of(self.workers[1])
        for record in of_root + of_worker:
            self.assertRegex(record["time"], TIME)
            self.assertEqual(list(record)[:6], ["time", "level", "role", "name", "pid", "message"])
        roles = {record["role"] for record in of_root}
        self.assertEqual(roles, {"root", "gatherer"})
        self.assertEqual({record["role"] for record in of_worker}, {"worker"})
        self.assertEqual({record["name"] for record in of_worker}, {"w1"})

        def told(records, **having):
            return [record["message"] for record in records
                    if all(record.get(name) == value for name, value in having.items())]
        self.assertEqual([message.split(" of job")[0] for message in told(of_root, role="root", run=done)],
                         [f"run {done}", f"run {done} is done"])
        self.assertEqual(told(of_root, level="error", run=failed)[0].split(":")[0], f"run {failed} has failed")
        self.assertEqual(len(told(of_root, level="warning", run=run)), 1, "its gatherer was killed")
        self.assertEqual(len(told(of_root, role="gatherer", level="debug", run=run)), 2, "each of its gatherers tells where it is")
        self.assertEqual(told(of_worker, level="warning", run=run),
                         [f"the worker process of run {run} ended by signal 9 (KILL)"])
        joined = [record for record in of_root if record.get("node") == "w1"]
        self.assertIn("has joined", joined[0]["message"])
        self.assertEqual(len({record["incarnation"] for record in joined}), 1)
        self.assertIn(joined[0]["incarnation"], {record.get("incarnation") for record in of_worker})

    def test_TextIsTheDefaultALineARecord(self):
        self.start_fleet(1)
        run = self.submit("wordcount", self.file("text", b"a b a\n"))
        self.wait_for_stage(run, "done")
        self.stop_fleet()
        for process, role in ((self.root, "root"), (self.workers[0], "worker")):
            process.reader.join(timeout=TIMEOUT_S)
            self.assertGreater(len(process.said), 2)
            for line in process.said:
                self.assertRegex(line, TIME.pattern + f" info {role}: .+\\n\\Z")

    def test_WhatIsBelowTheLevelIsLeftOutAndTheEnvironmentTellsIt(self):
        environment = {"FANFOLD_LOG_FORMAT": "json", "FANFOLD_LOG_LEVEL": "error"}
        with_nobody = self.fanfold("worker", "--root", "tcp://127.0.0.1:1", "--root-timeout", "300ms", environment=environment)
        self.assertEqual(with_nobody.returncode, 5)
        [line] = with_nobody.stderr.splitlines()
        record = json.loads(line)
        self.assertEqual((record["level"], record["role"], record["exit_code"]), ("error", "worker", 5))
        self.assertIn("tcp://127.0.0.1:1 does not answer", record["message"])
        shown = self.done("root", "--help").stdout.decode()
        for flag in ("--log-format", "--log-level"):
            self.assertIn(flag, shown)

    def test_AFormatOrLevelThatThereIsNotIsNamed(self):
        for command in (["root", "--listen", "tcp://127.0.0.1:0"], ["worker", "--root", "tcp://127.0.0.1:1"]):
            self.refused(2, *command, "--log-format", "xml", says=["--log-format takes text or json", '"xml"'])
            self.refused(2, *command, "--log-level", "loud", says=["--log-level takes debug, info, warning or error", '"loud"'])


main(FleetLogs)
