#!/usr/bin/env python3
"""Processes that die and jobs that go wrong: killed processes are replaced, a job's fault ends the run with where."""
import json
import os
import signal

from harness import *

SIGNALS = {"fault": "11 (SEGV)", "abort": "6 (ABRT)", "overflow": "11 (SEGV)"}


class Faults(RunTest):
    # ---- killed ----------------------------------------------------------------------------------

    def run_with_a_kill(self, pick):
        text = large_text()
        path = self.file("text", text)
        run = self.start("run", "wordcount", path, "--format", "csv", "--shard-bytes", "64KiB", "--workers", 2)
        os.kill(pick(), signal.SIGKILL)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
        self.assertTrue(out == csv_of(words_of(text)))
        self.assert_nothing_left()

    def test_AKilledExecutorIsReplacedAndItsWorkDoneAgain(self):
        self.run_with_a_kill(lambda: self.wait_for_role("internal-worker", 4)[-1])

    def test_AKilledSupervisorIsReplacedAndItsWorkDoneAgain(self):
        self.run_with_a_kill(lambda: self.wait_for_role("internal-worker", 4)[0])

    def test_AKilledGathererIsReplacedAndItsWorkDoneAgain(self):
        self.run_with_a_kill(lambda: self.wait_for_role("internal-gatherer")[0])

    def test_EveryProcessThatTheSummaryListsMayBeKilledInMidRun(self):
        # A tenth of a second a shard: whatever is killed while one is mapped is killed in mid-run.
        started = self.folder / "started"
        flags = ["range:0..30", "--shard-items", 1, "--milliseconds", 100, "--workers", 2, "--slots", 1, "--format", "csv"]

        for role in ("worker", "supervisor", "gatherer"):
            summary = self.folder / f"{role}.json"
            run = self.start("run", MISBEHAVE, *flags, "--started", started, "--json-summary", summary)
            # The file tells which process maps; its parent is its supervisor.
            worker = int(self.wait_until(lambda: started.exists() and started.read_text(), "a shard is being mapped"))
            victim = {"worker": lambda: worker, "gatherer": lambda: self.wait_for_role("internal-gatherer")[0],
                      "supervisor": lambda: int(open(f"/proc/{worker}/stat").read().rsplit(")", 1)[1].split()[1])}[role]()
            os.kill(victim, signal.SIGKILL)
            out, error = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
            told = json.loads(summary.read_text())
            self.assertEqual(told["coverage"], 1)
            listed = {process["pid"]: process["role"] for process in told["processes"]}
            self.assertEqual(listed[run.pid], "root")
            roles = sorted(listed.values())
            if role == "gatherer":
                # The one that was killed may have been so young that nobody knew it.
                self.assertGreaterEqual(roles.count("gatherer"), 1)
            else:
                self.assertEqual(listed[worker], "worker")
                self.assertEqual(roles.count("gatherer"), 1)
                self.assertGreaterEqual(roles.count("worker"), 3, "two, and the one that is no more")
                self.assertGreaterEqual(told["retries"], 1)
            self.assertEqual(roles.count("supervisor"), 2)
            self.assert_nothing_left()
            started.unlink()

    def test_SideCountsCountEachRecordOnceHoweverOftenItIsMapped(self):
        text = b"one line\n" * 30_000
        path = self.file("lines", text)
        summary = self.folder / "summary.json"
        for number, flags in enumerate((["--workers", 2, "--shard-bytes", "4KiB"], ["--memory", "96MiB"])):
            # The first gatherer dies when all is folded, and everything is mapped again.
            once = self.folder / f"once{number}"
            counts = []
            for accident in ([], ["--do", "kill", "--at", "finish", "--once", once]):
                self.done("run", MISBEHAVE, path, "--json-summary", summary, *flags, *accident)
                told = json.loads(summary.read_text())
                counts.append((told["records"], told["bytes"]))
            self.assertTrue(once.exists())
            self.assertEqual(counts[0][1], len(text))
            self.assertEqual(counts[1], counts[0])

    def test_UserCodeRunsInWorkersAndTheGathererAndNowhereElse(self):
        # Few leases; enough of them that partials are merged into a bundle, which is finished at its worker where it
        # is the only one; and two workers, whose bundles go into a total.
        many = ["range:0..3000", "--shard-items", 1]
        for flags, more in ((["range:0..10"], {"pack": {"worker"}, "unpack": {"gatherer"}, "finish": {"gatherer"}}),
                            ([*many, "--workers", 1], {"finish": {"worker"}}),
                            ([*many, "--workers", 2, "--milliseconds", 1],
                             {"pack": {"worker"}, "unpack": {"gatherer"}, "finish": {"gatherer"}})):
            summary = self.folder / "summary.json"
            witness = self.folder / "witness"
            self.done("run", MISBEHAVE, *flags, "--at", "map", "--json-summary", summary,
                      environment={"FANFOLD_MISBEHAVE_WITNESS": str(witness)})
            roles = {process["pid"]: process["role"] for process in json.loads(summary.read_text())["processes"]}
            seen = {}
            for line in witness.read_text().splitlines():
                call, pid = line.split()
                seen.setdefault(call, set()).add(roles.get(int(pid), "describer"))
            self.assertEqual(seen, {"load": {"describer", "worker", "gatherer"}, "open": {"describer", "worker", "gatherer"},
                                    "schema": {"describer", "worker", "gatherer"}, "map": {"worker"},
                                    "merge": seen["merge"], **more})
            self.assertLessEqual(seen["merge"], {"worker", "gatherer"})
            witness.unlink()

    # ---- a job's fault ---------------------------------------------------------------------------

    def job_fails(self, what, at, *flags, says=()):
        sentence = self.refused(4, "run", MISBEHAVE, *flags, "--do", what, "--at", at, says=["misbehave", *says])
        if what in SIGNALS:
            self.assertIn(f"signal {SIGNALS[what]}", sentence)
        if what == "exit":
            self.assertIn("exit(7)", sentence)
        if what == "throw":
            self.assertIn("thrown on purpose", sentence)
        return sentence

    def test_AJobThatCrashesInMapNamesInputAndBytes(self):
        path = self.file("some text", b"0123456789\n" * 1000)
        for what in ("fault", "abort", "overflow", "exit", "throw"):
            self.job_fails(what, "map", path, "--shard-bytes", 1000, "--in-shard", 3,
                           says=["while mapping", "bytes 3000 to 4000 of", '/some text"'])
            self.job_fails(what, "map", "range:0..1000", "--shard-items", 10, "--in-shard", 7,
                           says=["while mapping", 'integers 70 to 80 of "range:0..1000"'])

    def test_AJobThatCrashesWhileItIsOpenedSaysSo(self):
        for what in ("fault", "abort", "overflow", "exit", "throw"):
            self.job_fails(what, "open", "range:0..10", says=["while the job was opened"])

    def test_AJobThatCrashesInMergeOfASmallLeaseNamesPhaseAndInput(self):
        for what in ("fault", "abort", "overflow", "exit", "throw"):
            # One slot: exit() in two threads at once is a race of the C library's own.
            for at, phase in (("merge", "while merging"), ("pack", "while packing")):
                self.job_fails(what, at, "range:0..10", "--slots", 1, says=[phase, 'of "range:0..10"'])

    def test_AJobThatCrashesInMergeOfABundleNamesPhasePartAndBundle(self):
        for what in ("fault", "abort", "exit", "throw"):
            for at, phase, workers in (("merge", "while merging", 1), ("pack", "while packing", 2),
                                       ("finish", "while finishing", 1)):
                self.job_fails(what, at, "range:0..1000", "--shard-items", 1, "--workers", workers, "--slots", 1,
                               "--milliseconds", 1, says=[phase, "part 0", "bundle 1 of worker"])

    def test_AJobThatCrashesInFinishNamesPhaseAndPart(self):
        for what in ("fault", "abort", "overflow", "exit", "throw"):
            self.job_fails(what, "finish", "range:0..10", says=["while finishing", "part 0"])

    def test_AWorkerThatIsLostThreeTimesOverALeaseFailsTheRun(self):
        self.refused(4, "run", MISBEHAVE, "range:0..10", "--do", "kill", "--at", "map",
                     says=["lost 3 times", "signal 9 (KILL)", 'of "range:0..10"'])

    def test_AGathererThatIsLostThreeTimesFailsTheRun(self):
        self.refused(4, "run", MISBEHAVE, "range:0..10", "--do", "kill", "--at", "finish",
                     says=["gatherer", "lost 3 times", "signal 9 (KILL)"])

    def test_ABadRecordIsNamedWithItsInputAndLine(self):
        path = self.file("list.txt", b"1\n22\nthree\n4\n")
        for flags in ([], ["--sequential"]):
            self.refused(4, "run", TEST_JOBS / "libnumbers.so", path, *flags, says=["list.txt", "line 3", "no whole number"])

    def test_ARowLongerThanAnyMessageIsASentence(self):
        for flags in ([], ["--sequential"]):
            self.refused(4, "run", MISBEHAVE, "range:0..10", "--do", "long-row", "--at", "finish", "--megabytes", 260, *flags,
                         says=["272629", "shorter rows"])

    def test_TheTwinSaysWhatFailedInTheJob(self):
        for at in ("open", "map", "merge", "finish"):
            for what, words in (("fault", "signal 11"), ("exit", "exit(7)"), ("throw", "thrown on purpose")):
                self.refused(4, "run", MISBEHAVE, "range:0..10", "--sequential", "--at", at, "--do", what,
                             says=["misbehave", words])


if __name__ == "__main__":
    main(Faults)
