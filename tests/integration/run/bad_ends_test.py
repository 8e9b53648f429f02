#!/usr/bin/env python3
"""Runs that are ended from outside: signals and kill -9 in every phase, two runs at once."""
import os
import re
import select
import signal
import subprocess

from harness import *


class BadEnds(RunTest):
    def setUp(self):
        super().setUp()
        self.witness = self.folder / "witness"

    # Every phase of a run, held up: the run's arguments, and what shows that it has come so far.
    def phases(self, sequential=False):
        many = self.file("many", many_words(200_000))
        os.mkfifo(self.folder / "fifo")
        twin = ["--sequential"] if sequential else []

        def hang(at, *flags):
            return {"arguments": ["run", MISBEHAVE, "range:0..3000", "--shard-items", 1, "--do", "hang", "--at", at, *twin, *flags],
                    "environment": {"FANFOLD_MISBEHAVE_WITNESS": str(self.witness)}, "reached": lambda run: self.called(at)}

        def loads(*flags):
            return {"arguments": ["run", MISBEHAVE, "range:0..3", *flags],
                    "environment": {"FANFOLD_MISBEHAVE_LOAD": "hang", "FANFOLD_MISBEHAVE_WITNESS": str(self.witness)},
                    "reached": lambda run: self.called("load")}

        phases = {
            "spooling standard input": {"arguments": ["run", "wordcount", "-", *twin], "stdin": subprocess.PIPE,
                                        "reached": self.has_spooled},
            "loading": loads(*twin),
            "opening": hang("open"),
            "mapping": hang("map"),
            "merging": hang("merge"),
            "finishing": hang("finish"),
            "writing to a reader that waits": {"arguments": ["run", "wordcount", many, "--format", "csv", *twin],
                                               "reached": self.has_filled_its_pipe},
            "waiting for a reader": {"arguments": ["run", "wordcount", many, "--output", "fifo", *twin],
                                     "reached": lambda run: len(self.processes()) > 1},
        }
        if not sequential:
            phases["listing inputs"] = {"arguments": ["run", "wordcount", "--files-from", "-"], "stdin": subprocess.PIPE,
                                        "reached": lambda run: True}
            phases["describing"] = loads("--at", "map")
            # Of two workers each packs what it has merged; one alone would finish it.
            phases["packing"] = hang("pack", "--workers", 2, "--milliseconds", 1)
        return phases

    def called(self, call):
        return self.witness.exists() and any(line.startswith(call) for line in self.witness.read_text().splitlines())

    def has_spooled(self, run):
        run.stdin.write(b"some words " * 20_000)
        run.stdin.flush()
        for link in (pathlib.Path("/proc") / str(run.pid) / "fd").iterdir():
            try:
                if "(deleted)" in os.readlink(link) and str(self.tmp) in os.readlink(link):
                    return True
            except OSError:
                continue
        return False

    def has_filled_its_pipe(self, run):
        # Something is there to be read, and nobody does.
        return bool(select.select([run.stdout], [], [], 0)[0])

    @staticmethod
    def hears_signals(run):
        """Whether the program is so far that it takes signals itself: before, the system ends it as any other."""
        try:
            status = open(f"/proc/{run.pid}/status").read()
        except OSError:
            return False
        blocked = int(re.search(r"^SigBlk:\s*([0-9a-f]+)", status, re.MULTILINE).group(1), 16)
        return bool(blocked & 1 << (signal.SIGINT - 1))

    def in_each_phase(self, end, sequential=False):
        for name, phase in self.phases(sequential).items():
            with self.subTest(phase=name):
                phase = dict(phase)
                arguments, reached = phase.pop("arguments"), phase.pop("reached")
                run = self.start(*arguments, "--json-summary", "told.json", **phase)
                self.wait_until(lambda: run.poll() is not None or self.hears_signals(run) and reached(run), name)
                self.assertIsNone(run.poll(), run.returncode)
                end(run)
                self.assert_nothing_left()
                for stream in (run.stdin, run.stdout, run.stderr):
                    if stream is not None:
                        stream.close()
                self.witness.unlink(missing_ok=True)

    def ended_by(self, number, code):
        def end(run):
            run.send_signal(number)
            run.wait(timeout=30)
            self.assertEqual(run.returncode, code)
            error = run.stderr.read()
            self.assertNotIn(b"fanfold: ", error)
            if "--output" in run.args:
                self.assertEqual(os.listdir(self.folder).count("out.csv"), 0)
        return end

    def test_SigintEndsARunInEveryPhaseWith130(self):
        self.in_each_phase(self.ended_by(signal.SIGINT, 130))

    def test_SigtermEndsARunInEveryPhaseWith143(self):
        self.in_each_phase(self.ended_by(signal.SIGTERM, 143))

    def test_SignalsEndTheTwinInEveryPhase(self):
        self.in_each_phase(self.ended_by(signal.SIGINT, 130), sequential=True)

    def test_ASecondSignalEndsARunAtOnceInEveryPhase(self):
        def end(run):
            run.send_signal(signal.SIGTERM)
            self.wait_until(lambda: run.poll() is not None or self.nothing_pending(run.pid), "the first signal is taken")
            run.send_signal(signal.SIGTERM)
            run.wait(timeout=30)
            self.assertEqual(run.returncode, 143)
        self.in_each_phase(end)

    @staticmethod
    def nothing_pending(pid):
        try:
            status = open(f"/proc/{pid}/status").read()
        except OSError:
            return True
        return all(int(line.split()[1], 16) == 0 for line in status.splitlines() if line.startswith("ShdPnd"))

    def test_AKilledClientLeavesNothingBehindInAnyPhase(self):
        def end(run):
            run.kill()
            run.wait(timeout=30)
        self.in_each_phase(end)

    def test_AKilledClientOfTheTwinLeavesNothingBehindInAnyPhase(self):
        def end(run):
            run.kill()
            run.wait(timeout=30)
        self.in_each_phase(end, sequential=True)

    def test_ASignalLeavesTheOldOutputAndNothingBesideIt(self):
        self.file("out.csv", b"old")
        for at in ("map", "finish"):
            run = self.start("run", MISBEHAVE, "range:0..10", "--do", "hang", "--at", at, "--output", "out.csv",
                             environment={"FANFOLD_MISBEHAVE_WITNESS": str(self.witness)})
            self.wait_until(lambda: self.called(at), at)
            run.terminate()
            run.communicate(timeout=30)
            self.assertEqual(run.returncode, 143)
            self.witness.unlink()
            self.assertEqual(self.entries(), ["out.csv", "tmp"])
            self.assertEqual((self.folder / "out.csv").read_bytes(), b"old")

    def test_ASignalEndsTheListOfJobs(self):
        for arguments in (["jobs", "--plugin-path", str(TEST_JOBS)], ["jobs", "describe", MISBEHAVE],
                          ["run", MISBEHAVE, "--help"]):
            run = self.start(*arguments, environment={"FANFOLD_MISBEHAVE_LOAD": "hang",
                                                      "FANFOLD_MISBEHAVE_WITNESS": str(self.witness)})
            self.wait_until(lambda: self.called("load"), "the plugin is being loaded")
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=30)
            self.assertEqual(run.returncode, 130)
            self.witness.unlink()
            self.assert_nothing_left()

    def test_TwoRunsAtOnceDoNotDisturbEachOther(self):
        texts = [some_text(30_000, 5_000, seed) for seed in (1, 2)]
        runs = [self.start("run", "wordcount", self.file(f"text{index}", text), "--format", "csv")
                for index, text in enumerate(texts)]
        for run, text in zip(runs, texts):
            out, error = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual(run.returncode, 0, error)
            self.assertEqual(out, csv_of(words_of(text)))
        self.assert_nothing_left()

    def test_AKilledRunDoesNotDisturbAnother(self):
        text = large_text()
        path = self.file("text", text)
        victim, other = (self.start("run", "wordcount", path, "--format", "csv") for _ in range(2))
        self.wait_for_role("internal-worker", 2)
        victim.kill()
        victim.communicate(timeout=TIMEOUT_S)
        out, error = other.communicate(timeout=TIMEOUT_S)
        self.assertEqual(other.returncode, 0, error)
        self.assertTrue(out == csv_of(words_of(text)))
        self.assert_nothing_left()


if __name__ == "__main__":
    main(BadEnds)
