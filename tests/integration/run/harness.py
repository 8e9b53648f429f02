"""The program as a user runs it: what the tests of this folder have in common. A test is a sentence about one
run of the real program, in a folder of its own and with a TMPDIR of its own, by which its processes are known.

Usage of each file: NAME_test.py PROGRAM TEST_JOBS_FOLDER [Sentence]... Exit 77: skipped, with the reason.
"""
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
MISBEHAVE = TEST_JOBS / "libmisbehave.so"
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


def large_text():
    return some_text(60_000, 20_000) * 40


def many_words(count, seed=7):
    """Lines of one word each, nearly all of them different."""
    rng = random.Random(seed)
    return b"".join(b"%x\n" % rng.getrandbits(64) for _ in range(count))


class RunTest(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ff"))
        self.tmp = self.folder / "tmp"  # TMPDIR of the runs: must be empty when they have ended
        self.tmp.mkdir()
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FANFOLD_")}
        self.environment["TMPDIR"] = str(self.tmp)
        self.environment["XDG_CONFIG_HOME"] = str(self.folder / "config")
        # A sanitizer would turn a job's crash into an exit of its own; the program must see the signal.
        options = [self.environment.get("ASAN_OPTIONS", ""), "handle_segv=0", "handle_abort=0"]
        self.environment["ASAN_OPTIONS"] = ":".join(option for option in options if option)

    def tearDown(self):
        for pid, _ in self.processes():  # of a test that failed
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        shutil.rmtree(self.folder, ignore_errors=True)

    def file(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return str(path)

    def entries(self):
        """What is in the test's folder, by name."""
        return sorted(entry.name for entry in self.folder.iterdir())

    # ---- runs that end -------------------------------------------------------------------------

    def command(self, *arguments):
        return [str(PROGRAM), *map(str, arguments)]

    def fanfold(self, *arguments, stdin=None, environment=None, before=()):
        """`before`: words in front of the program's, say of setpriv."""
        source = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        return subprocess.run([*before, *self.command(*arguments)], **source, capture_output=True, timeout=TIMEOUT_S,
                              env={**self.environment, **(environment or {})}, cwd=self.folder)

    def done(self, *arguments, **options):
        """A run that must succeed."""
        done = self.fanfold(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done

    def count(self, *arguments, **options):
        """Runs wordcount as csv and gives its standard output; it must succeed."""
        return self.done("run", "wordcount", "--format", "csv", *arguments, **options).stdout

    def one_sentence(self, error):
        """What a failed run said: one line that says who speaks, and at most a summary behind it."""
        text = error.decode(errors="replace")
        sentences = [line for line in text.splitlines() if line.startswith("fanfold: ")]
        self.assertEqual(len(sentences), 1, text)
        self.assertTrue(text.startswith("fanfold: "), text)
        self.assertGreater(len(sentences[0]), 30, text)
        return sentences[0]

    def refused(self, code, *arguments, says=(), **options):
        """Must end with this code and one sentence that has all these words, write no row and leave nothing."""
        done = self.fanfold(*arguments, **options)
        self.assertEqual(done.returncode, code, done.stderr.decode(errors="replace"))
        self.assertEqual(done.stdout, b"")
        sentence = self.one_sentence(done.stderr)
        for word in says:
            self.assertIn(word, sentence)
        self.assert_nothing_left()
        return sentence

    # ---- runs under way ------------------------------------------------------------------------

    def start(self, *arguments, **options):
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        environment = {**self.environment, **options.pop("environment", {})}
        return subprocess.Popen(self.command(*arguments), env=environment, cwd=self.folder, **options)

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

    def wait_until(self, condition, what):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            time.sleep(0.005)
        self.fail(f"waited in vain: {what}")

    def wait_for_role(self, role, number=1):
        """The processes of a role, in the order they were started; an executor is forked from its supervisor and has
        its command line."""
        def pids():
            found = sorted(pid for pid, name in self.processes() if name == role)
            return found if len(found) >= number else None
        return self.wait_until(pids, f"{number} of {role}")

    def assert_nothing_left(self):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and (self.processes() or any(self.tmp.iterdir())):
            time.sleep(0.02)
        self.assertEqual(self.processes(), [])
        self.assertEqual(list(self.tmp.iterdir()), [])


def main(case):
    names = [f"test_{name}" for name in sys.argv[3:]] or unittest.TestLoader().getTestCaseNames(case)
    suite = unittest.TestSuite(case(name) for name in names)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    if result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
