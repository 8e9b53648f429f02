#!/usr/bin/env python3
"""The program as a user runs it: answers, faults, bad input, bad ends. One test a sentence.

Usage: run_test.py PROGRAM TEST_JOBS_FOLDER [TestName]. Exit 77: skipped, with the reason.
"""
import gzip
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
TEST_JOBS = pathlib.Path(sys.argv[2]).resolve()
CASES = pathlib.Path(__file__).resolve().parents[4] / "shared" / "cases"
TIMEOUT_S = 120


def words_of(text):
    """The oracle: tokens between C's white space, most frequent first, then bytewise."""
    counts = {}
    for word in re.split(rb"[ \t\n\v\f\r]+", text):
        if word:
            counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def csv_of(rows):
    """RFC 4180 as the program writes it."""
    lines = [b"word,count\n"]
    for word, count in rows:
        if any(byte in word for byte in (b",", b'"', b"\n", b"\r")):
            word = b'"' + word.replace(b'"', b'""') + b'"'
        lines.append(word + b",%d\n" % count)
    return b"".join(lines)


def some_text(words, distinct, seed=1):
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("abcdefghij,\"\u00e9\u4e16_", k=rng.choice([1, 2, 3, 5, 8, 15, 16, 17, 40])))
                  for _ in range(distinct)]
    ends = [" ", "\n", "\t", "  ", "\r\n", "\v", "\f"]
    return "".join(vocabulary[min(int(rng.paretovariate(0.7)), distinct) - 1] + rng.choice(ends)
                   for _ in range(words)).encode()


class Run(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ff"))
        self.tmp = self.folder / "tmp"  # TMPDIR of the runs: must be empty when they have ended
        self.tmp.mkdir()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FANFOLD_")}
        self.environment["TMPDIR"] = str(self.tmp)
        # A sanitizer would turn a job's crash into an exit of its own; the program must see the signal.
        options = [self.environment.get("ASAN_OPTIONS", ""), "handle_segv=0", "handle_abort=0"]
        self.environment["ASAN_OPTIONS"] = ":".join(option for option in options if option)

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- helpers -------------------------------------------------------------------------------

    def file(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def fanfold(self, *arguments, stdin=None, environment=None):
        return subprocess.run([PROGRAM, *map(str, arguments)], input=stdin, capture_output=True, timeout=TIMEOUT_S,
                              env={**self.environment, **(environment or {})}, cwd=self.folder)

    def count(self, *arguments, **options):
        """Runs wordcount as csv and gives its standard output; it must succeed."""
        done = self.fanfold("run", "wordcount", "--format", "csv", *arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def refused(self, code, *arguments, says=(), **options):
        """The run must end with this code and one sentence that has all these words, and write no row."""
        done = self.fanfold(*arguments, **options)
        error = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, error)
        self.assertEqual(done.stdout, b"")
        sentences = [line for line in error.splitlines() if line.startswith("fanfold: ")]
        self.assertEqual(len(sentences), 1, error)
        for word in says:
            self.assertIn(word, sentences[0])
        self.assert_nothing_left()
        return sentences[0]

    def processes(self):
        """Every process whose TMPDIR is ours: the runs of this test and what they started."""
        found = []
        mark = f"TMPDIR={self.tmp}".encode()
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                    role = (entry / "cmdline").read_bytes().split(b"\0")[1].decode(errors="replace")
                    if state != "Z":
                        found.append((int(entry.name), role))
            except (OSError, IndexError):
                continue
        return found

    def assert_nothing_left(self):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (self.processes() or any(self.tmp.iterdir())):
            time.sleep(0.02)
        self.assertEqual(self.processes(), [])
        self.assertEqual(list(self.tmp.iterdir()), [])

    def start(self, *arguments, **options):
        return subprocess.Popen([PROGRAM, *map(str, arguments)], env=self.environment, cwd=self.folder,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)

    def wait_for_role(self, role, number=1):
        """The newest process of a role; an executor is forked from its supervisor and has its command line."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            pids = sorted(pid for pid, name in self.processes() if name == role)
            if len(pids) >= number:
                return pids
            time.sleep(0.005)
        self.fail(f"no {role} was started")

    def large_text(self):
        text = some_text(60_000, 20_000)
        return text * 40

    # ---- answers -------------------------------------------------------------------------------

    def test_CountsTheWordsOfFilesFoldersGlobsAndStandardInput(self):
        text = some_text(5_000, 900)
        self.file("in/a.txt", text)
        self.file("in/deep/.hidden", text)
        expected = csv_of(words_of(text + b" " + text))
        self.assertEqual(self.count("in"), expected)
        self.assertEqual(self.count("in/a.txt", "in/deep/.hid*"), expected)
        self.assertEqual(self.count("in/a.txt", "-", stdin=text), expected)
        self.assert_nothing_left()

    def test_GivesTheSameBytesOnAnyWorkersSlotsShardSizesAndKernels(self):
        text = some_text(40_000, 9_000)
        path = self.file("text", text)
        expected = csv_of(words_of(text))
        self.assertEqual(self.count(path, "--sequential"), expected)
        for flags in (["--workers", 2], ["--workers", 3, "--slots", 2, "--shard-bytes", "1KiB"], ["--slots", 5]):
            self.assertEqual(self.count(path, *flags), expected, flags)
        for kernels in ("portable", "avx2", "avx512"):
            done = self.fanfold("run", "wordcount", path, "--format", "csv", environment={"FANFOLD_KERNELS": kernels})
            if done.returncode == 2 and b"kernels" in done.stderr.lower():
                continue  # this machine lacks them
            self.assertEqual(done.stdout, expected, kernels)

    def test_CountsTheFaustCaseAsItsAuthorsDid(self):
        case = CASES / "wordcount-faust"
        if not case.is_dir():
            self.skipTest("the wordcount-faust case is not here")
        out = self.count(case / "input.txt", "--lower", "--pattern", "nonword")
        ours = sorted(out.decode().splitlines()[1:])
        theirs = sorted((case / "expected.csv").read_text().splitlines()[1:])
        self.assertEqual(ours, theirs)

    def test_TopMinCountAndLimitChooseRows(self):
        text = b"a a a b b c C\n"
        path = self.file("text", text)
        self.assertEqual(self.count(path, "--top", 2), b"word,count\na,3\nb,2\n")
        self.assertEqual(self.count(path, "--min-count", 2), b"word,count\na,3\nb,2\n")
        self.assertEqual(self.count(path, "--limit", 1), b"word,count\na,3\n")
        self.assertEqual(self.count(path, "--lower", "--limit", 3), b"word,count\na,3\nb,2\nc,2\n")

    def test_BinaryInputAndLongLinesAreLegal(self):
        rng = random.Random(3)
        text = bytes(rng.randrange(256) for _ in range(300_000)) + b"\n" + b"x" * 3_000_000 + b" end"
        path = self.file("binary", text)
        self.assertEqual(self.count(path, "--shard-bytes", "64KiB"), csv_of(words_of(text)))

    def test_EmptyInputGivesTheHeaderAndExitZero(self):
        path = self.file("empty", b"")
        self.assertEqual(self.count(path), b"word,count\n")
        self.assertEqual(self.count(path, "--sequential"), b"word,count\n")

    def test_AllMembersOfGzipAreRead(self):
        path = self.file("two.gz", gzip.compress(b"a b ") + gzip.compress(b"a c\n"))
        self.assertEqual(self.count(path), csv_of(words_of(b"a b a c\n")))

    def test_ASmallMemoryShowsSeveralBundlesAndTheTwinsBytes(self):
        rng = random.Random(5)
        text = b" ".join(b"%x" % rng.getrandbits(64) for _ in range(300_000))
        path = self.file("many", text)
        summary = self.folder / "summary.json"
        out = self.count(path, "--memory", "96MiB", "--top", 1000, "--json-summary", summary)
        self.assertEqual(out, self.count(path, "--sequential", "--top", 1000))
        self.assertGreater(json.loads(summary.read_text())["bundles"], 1)

    def test_TheSummaryHasItsSchemaAndTellsEveryProcess(self):
        path = self.file("text", some_text(2_000, 50))
        summary = self.folder / "summary.json"
        self.count(path, "--json-summary", summary, "--quiet")
        told = json.loads(summary.read_text())
        self.assertEqual(told["schema"], 1)
        self.assertEqual(told["exit_code"], 0)
        self.assertEqual(told["coverage"], 1.0)
        self.assertEqual(told["records"], 2_000)
        self.assertEqual({process["role"] for process in told["processes"]},
                         {"root", "gatherer", "worker", "supervisor"})

    # ---- faults --------------------------------------------------------------------------------

    def run_with_a_kill(self, pick, times=1):
        text = self.large_text()
        path = self.file("text", text)
        expected = csv_of(words_of(text))
        run = self.start("run", "wordcount", path, "--format", "csv", "--shard-bytes", "64KiB", "--workers", 2)
        killed = 0
        try:
            for _ in range(times):
                os.kill(pick(), signal.SIGKILL)
                killed += 1
                time.sleep(0.05)
        except ProcessLookupError:
            pass
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
        self.assertGreater(killed, 0)
        self.assertEqual(out, expected)
        self.assert_nothing_left()

    def test_AKilledExecutorIsReplacedAndItsWorkDoneAgain(self):
        self.run_with_a_kill(lambda: self.wait_for_role("internal-worker", 4)[-1])

    def test_AKilledSupervisorIsReplacedAndItsWorkDoneAgain(self):
        self.run_with_a_kill(lambda: self.wait_for_role("internal-worker", 4)[0])

    def test_AKilledGathererIsReplacedAndItsWorkDoneAgain(self):
        self.run_with_a_kill(lambda: self.wait_for_role("internal-gatherer")[0])

    def test_AKilledClientLeavesNothingBehind(self):
        path = self.file("text", self.large_text())
        for delay in (0.0, 0.02, 0.1):
            run = self.start("run", "wordcount", path, "--format", "csv")
            self.wait_for_role("internal-worker")
            time.sleep(delay)
            run.kill()
            run.communicate(timeout=TIMEOUT_S)
            self.assert_nothing_left()

    def test_ACrashingJobFailsTheRunWithSignalAndInput(self):
        for callback in ("map", "merge", "finish"):
            sentence = self.refused(4, "run", TEST_JOBS / "libmisbehave.so", "range:0..1000", "--at", callback, "--do", "segv")
            self.assertIn("11", sentence)

    def test_ABadRecordIsNamedWithItsInputAndLine(self):
        path = self.file("list.txt", b"1\n22\nthree\n4\n")
        for flags in ([], ["--sequential"]):
            self.refused(4, "run", TEST_JOBS / "libnumbers.so", path, *flags, says=["list.txt", "line 3", "no whole number"])

    def test_TheTwinSaysWhatFailedInTheJob(self):
        for callback in ("map", "merge", "finish"):
            self.refused(4, "run", TEST_JOBS / "libmisbehave.so", "range:0..1000", "--sequential", "--at", callback,
                         "--do", "throw", says=["thrown on purpose"])

    # ---- bad input -----------------------------------------------------------------------------

    def test_AMissingFileIsNamed(self):
        self.refused(3, "run", "wordcount", "nowhere.txt", says=["nowhere.txt"])

    def test_AFolderWithoutFilesIsNamed(self):
        (self.folder / "void").mkdir()
        self.refused(3, "run", "wordcount", "void", says=["void"])

    def test_AnUnknownJobIsNamedWithItsNeighbour(self):
        path = self.file("text", b"a")
        self.refused(2, "run", "wordcuont", path, says=["wordcuont", "wordcount"])

    def test_UnknownAndIllTypedParametersAreNamed(self):
        path = self.file("text", b"a")
        self.refused(2, "run", "wordcount", path, "--topp", 3, says=["--topp", "--top"])
        self.refused(2, "run", "wordcount", path, "--top", "ten", says=["--top", "ten"])
        self.refused(2, "run", "wordcount", path, "--pattern", "vowels", says=["--pattern", "letters", "vowels"])
        self.refused(2, "run", "wordcount", path, "--min-count", 0, says=["--min-count"])
        self.refused(2, "run", "wordcount", path, "--workers", "many", says=["--workers"])
        self.refused(2, "run", "wordcount", path, "--memory", "1furlong", says=["--memory"])

    def test_AGzipCutShortOrWithGarbageBehindItIsNamed(self):
        whole = gzip.compress(some_text(2_000, 300))
        self.refused(3, "run", "wordcount", self.file("cut.gz", whole[:-20]), says=["cut.gz"])
        self.refused(3, "run", "wordcount", self.file("more.gz", whole + b"garbage"), says=["more.gz"])

    def test_AnOutputThatCannotBeWrittenIsNamedAndNothingIsHalfWritten(self):
        path = self.file("text", some_text(1_000, 50))
        self.refused(3, "run", "wordcount", path, "--output", "no/such/folder/out.csv", says=["out.csv"])
        self.refused(3, "run", "wordcount", path, "--output", self.folder, says=[str(self.folder)])
        done = self.fanfold("run", "wordcount", path, "--output", "/dev/full")
        self.assertEqual(done.returncode, 3)
        self.assertEqual(sorted(entry.name for entry in self.folder.iterdir()), ["text", "tmp"])

    def test_AnOutputAppearsWholeAndKeepsTheOldOneOnFailure(self):
        path = self.file("text", b"a b a\n")
        self.count(path, "--output", "out.csv")
        self.assertEqual((self.folder / "out.csv").read_bytes(), b"word,count\na,2\nb,1\n")
        self.refused(3, "run", "wordcount", path, "missing", "--output", "out.csv", says=["missing"])
        self.assertEqual((self.folder / "out.csv").read_bytes(), b"word,count\na,2\nb,1\n")

    def test_ASummaryThatCannotBeWrittenIsNamedBeforeAnythingRuns(self):
        path = self.file("text", b"a b a\n")
        self.refused(3, "run", "wordcount", path, "--json-summary", "no/such/folder/told.json", "--output", "out.csv",
                     says=["told.json"])
        self.refused(2, "run", "wordcount", path, "--json-summary", "./same", "--output", "same", says=["same"])
        self.assertEqual(sorted(entry.name for entry in self.folder.iterdir()), ["text", "tmp"])

    def test_NeitherResultNorSummaryReplacesAnInput(self):
        text = b"a b a\n"
        path = self.file("text", text)
        (self.folder / "link").symlink_to("text")
        for flag in ("--output", "--json-summary"):
            for name in ("text", "./text", path, "link"):
                self.refused(2, "run", "wordcount", path, flag, name, says=["input"])
                self.assertEqual((self.folder / "text").read_bytes(), text)

    def test_ATmpdirTooLongOrNotThereIsNamed(self):
        path = self.file("text", b"a")
        long = self.tmp / ("x" * 100)
        long.mkdir()
        done = self.fanfold("run", "wordcount", path, environment={"TMPDIR": str(long)})
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"TMPDIR", done.stderr)
        done = self.fanfold("run", "wordcount", path, environment={"TMPDIR": str(self.folder / "nowhere")})
        self.assertEqual(done.returncode, 3)
        self.assertIn(b"nowhere", done.stderr)

    # ---- bad ends ------------------------------------------------------------------------------

    def test_SigintAndSigtermEndTheRunWithTheirCodes(self):
        path = self.file("text", self.large_text())
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            for delay in (0.0, 0.03, 0.15):
                run = self.start("run", "wordcount", path, "--format", "csv", "--output", "out.csv")
                self.wait_for_role("internal-worker")
                time.sleep(delay)
                run.send_signal(number)
                run.communicate(timeout=20)
                self.assertIn(run.returncode, (code, 0))  # 0: it had finished before
                if run.returncode != 0:
                    self.assertFalse((self.folder / "out.csv").exists())
                (self.folder / "out.csv").unlink(missing_ok=True)
                self.assert_nothing_left()

    def test_AReaderThatGoesAwayEndsTheRunQuietly(self):
        path = self.file("text", self.large_text())
        run = self.start("run", "wordcount", path, "--format", "csv", "--quiet")
        run.stdout.readline()
        run.stdout.close()
        error = run.stderr.read()
        run.wait(timeout=TIMEOUT_S)
        self.assertEqual(error, b"")
        self.assertEqual(run.returncode, 0)
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


if __name__ == "__main__":
    names = [f"test_{name}" for name in sys.argv[3:]] or unittest.TestLoader().getTestCaseNames(Run)
    suite = unittest.TestSuite(Run(name) for name in names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
