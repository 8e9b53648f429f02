#!/usr/bin/env python3
"""What cannot work: one sentence that says what, which input and what to do; the exit code; nothing left behind."""
import gzip
import os
import subprocess

from harness import *

# Root may read and write everything; without its capabilities it is a user like others.
POWERLESS = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]


def powerless():
    """Words that run a command without rights over files that are not its own or forbidden to it."""
    if os.geteuid() != 0:
        return []
    return POWERLESS if subprocess.run([*POWERLESS, "true"], capture_output=True).returncode == 0 else None


class BadInput(RunTest):
    def setUp(self):
        super().setUp()
        self.text = self.file("text", b"a b a\n")

    def without_rights(self):
        before = powerless()
        if before is None:
            self.skipTest("this container lets nobody give up root's rights (setpriv)")
        return before

    # ---- inputs ----------------------------------------------------------------------------------

    def test_AMissingFileIsNamed(self):
        self.refused(3, "run", "wordcount", "nowhere.txt", says=["nowhere.txt", "no such file"])
        self.refused(3, "run", "wordcount", "text/x", says=["text/x"])
        (self.folder / "dangling").symlink_to("nowhere")
        self.refused(3, "run", "wordcount", "dangling", says=["dangling", "symbolic link"])
        self.refused(3, "run", "wordcount", "no*such[glob]", says=["no*such[glob]", "pattern"])
        self.refused(3, "run", "wordcount", "", says=['""'])

    def test_AFolderWithoutFilesIsNamed(self):
        (self.folder / "void").mkdir()
        self.refused(3, "run", "wordcount", "void", says=["void"])
        (self.folder / "void/link").symlink_to("../text")
        self.refused(3, "run", "wordcount", "void", says=["void", "links"])

    def test_AnUnreadableFileOrFolderIsNamed(self):
        before = self.without_rights()
        os.chmod(self.file("secret.txt", b"x y\n"), 0)
        os.chmod(self.file("secret.gz", gzip.compress(b"x")), 0)
        self.file("shut/inside", b"x")
        for name in ("secret.txt", "secret.gz"):
            for flags in ([], ["--sequential"]):
                self.refused(3, "run", "wordcount", self.text, name, *flags, before=before,
                             says=[name, "Permission denied", "Make it readable"])
        os.chmod(self.folder / "shut", 0)
        try:
            self.refused(3, "run", "wordcount", "shut", before=before, says=["shut", "Permission denied"])
            self.refused(3, "run", "wordcount", "shut/inside", before=before, says=["shut/inside", "Permission denied"])
            self.refused(3, "run", "wordcount", "--files-from", "secret.txt", before=before, says=["secret.txt"])
        finally:
            os.chmod(self.folder / "shut", 0o700)

    def test_AGzipCutShortOrWithGarbageBehindItIsNamed(self):
        whole = gzip.compress(some_text(2_000, 300))
        zstd = subprocess.run(["zstd", "-q"], input=some_text(2_000, 300), capture_output=True, check=True).stdout
        for flags in ([], ["--sequential"]):
            self.refused(3, "run", "wordcount", self.file("cut.gz", whole[:-20]), *flags, says=["cut.gz", "cut short"])
            self.refused(3, "run", "wordcount", self.file("more.gz", whole + b"garbage"), *flags,
                         says=["more.gz", "garbage"])
            self.refused(3, "run", "wordcount", self.file("cut.zst", zstd[:-9]), *flags, says=["cut.zst", "cut short"])
            self.refused(3, "run", "wordcount", self.file("more.zst", zstd + b"garbage"), *flags,
                         says=["more.zst", "garbage"])
        self.refused(3, "run", "wordcount", self.file("other.gz", b"no gzip at all"), says=["other.gz"])
        damaged = bytearray(whole)
        damaged[len(damaged) // 2] ^= 0xFF
        self.refused(3, "run", "wordcount", self.file("bad.gz", bytes(damaged)), says=["bad.gz"])

    def test_AFileThatChangesWhileItIsReadEndsTheRunUnlessItMayGrow(self):
        started = self.folder / "started"
        slow = ["--shard-bytes", 1000, "--slots", 1, "--milliseconds", 20, "--started", started]
        grow = lambda path: path.open("ab").write(b"more\n")
        shrink = lambda path: os.truncate(path, 5000)
        for change, flags, code, words in ((grow, [], 3, ["changing.txt", "grew"]), (grow, ["--allow-growth"], 0, []),
                                           (shrink, [], 3, ["changing.txt", "shrank"]),
                                           (shrink, ["--allow-growth"], 3, ["changing.txt", "shrank"]),
                                           (pathlib.Path.unlink, [], 3, ["changing.txt"])):
            path = self.folder / "changing.txt"
            path.write_bytes(b"0123456789\n" * 3000)
            run = self.start("run", MISBEHAVE, path, *slow, *flags)
            self.wait_until(started.exists, "the first shard is being mapped")
            change(path)
            _, error = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual(run.returncode, code, error)
            for word in words:
                self.assertIn(word, self.one_sentence(error))
            started.unlink()
        self.assert_nothing_left()

    def test_ClosedStandardStreamsAreSentences(self):
        def closed(*numbers, arguments):
            words = " ".join(f"{number}<&-" for number in numbers)
            return subprocess.run(["bash", "-c", f'"$@" {words}', "bash", *self.command(*arguments)], cwd=self.folder,
                                  env=self.environment, capture_output=True, timeout=TIMEOUT_S)

        done = closed(0, arguments=["run", "wordcount", "-"])
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("standard input", self.one_sentence(done.stderr))
        done = closed(0, arguments=["run", "wordcount", "--files-from", "-"])
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("standard input", self.one_sentence(done.stderr))
        done = closed(1, arguments=["run", "wordcount", "text"])
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("standard output", self.one_sentence(done.stderr))
        done = closed(0, 2, arguments=["run", "wordcount", "text", "--format", "csv"])
        self.assertEqual((done.returncode, done.stdout), (0, b"word,count\na,2\nb,1\n"))
        done = closed(0, 1, 2, arguments=["run", "wordcount", "text", "--output", "out", "--format", "csv"])
        self.assertEqual((done.returncode, (self.folder / "out").read_bytes()), (0, b"word,count\na,2\nb,1\n"))
        self.assert_nothing_left()

    # ---- jobs ------------------------------------------------------------------------------------

    def test_AnUnknownJobIsNamedWithItsNeighbour(self):
        self.refused(2, "run", "wordcuont", self.text, says=["wordcuont", "wordcount"])
        self.refused(2, "run", "entirely-else", self.text, says=["entirely-else", "fanfold jobs"])
        self.refused(2, "run", "./nowhere.so", self.text, says=["nowhere.so"])
        self.refused(2, "jobs", "describe", "wordcuont", says=["wordcuont", "wordcount"])

    def test_UnknownAndIllTypedParametersAreNamed(self):
        self.refused(2, "run", "wordcount", self.text, "--tpo", 3, says=["--tpo", "--top"])
        self.refused(2, "run", "wordcount", self.text, "--top", "many", says=["--top", "many"])
        self.refused(2, "run", "wordcount", self.text, "--top=-1", says=["--top", "-1"])
        self.refused(2, "run", "wordcount", self.text, "--pattern", "vowels", says=["--pattern", "letters", "vowels"])
        self.refused(2, "run", "wordcount", self.text, "--lower=maybe", says=["--lower", "maybe"])
        self.refused(2, "run", "wordcount", self.text, "--param", "tpo=3", says=["tpo", "top"])
        self.refused(2, "run", "wordcount", self.text, "--param", "top", says=["NAME=VALUE", "top"])
        self.refused(2, "run", "wordcount", self.text, "--param", "=3", says=["NAME=VALUE", "=3"])
        self.refused(2, "run", "wordcount", self.text, "--param", "limit=3", says=["limit", "no parameter"])

    def test_APluginThatIsNoPluginIsNamed(self):
        for flags in ([], ["--top", 3], ["--sequential"]):  # found out by a worker, by the describer, by the twin
            self.refused(2, "run", "./text", self.text, *flags, says=["/text", "shared library"])
            self.refused(2, "run", TEST_JOBS / "libnojob.so", self.text, *flags, says=["libnojob.so", "FANFOLD_JOB"])
        self.refused(2, "jobs", "describe", "./text", says=["/text", "shared library"])
        self.refused(2, "run", "./.", self.text, says=["folder"])

    def test_APluginOfAnotherMajorIsRefusedWithBothVersions(self):
        for flags in ([], ["--top", 3], ["--sequential"]):
            self.refused(2, "run", TEST_JOBS / "libfuture.so", self.text, *flags,
                         says=["libfuture.so", "interface 2.7", "1.0"])
        self.refused(2, "jobs", "describe", TEST_JOBS / "libfuture.so", says=["interface 2.7", "1.0"])

    def test_APluginThatDeclaresAnEngineFlagIsRefused(self):
        for flags in ([], ["--other", 3], ["--sequential"]):
            self.refused(2, "run", TEST_JOBS / "libreserved.so", self.text, *flags, says=["reserved", "--limit"])
        self.refused(2, "jobs", "describe", TEST_JOBS / "libreserved.so", says=["reserved", "--limit"])

    def test_APluginThatCrashesWhileItIsLoadedIsNamed(self):
        for variable in ("FANFOLD_MISBEHAVE_LOAD", "FANFOLD_MISBEHAVE_CONSTRUCT"):
            for what, word in (("fault", "11 (SEGV)"), ("abort", "6 (ABRT)"), ("exit", "exit(7)")):
                environment = {variable: what}
                for flags in ([], ["--at", "map"], ["--sequential"]):
                    self.refused(4, "run", MISBEHAVE, self.text, *flags, environment=environment,
                                 says=["libmisbehave.so", "loaded", word])
                self.refused(4, "jobs", "describe", MISBEHAVE, environment=environment, says=["libmisbehave.so", word])

    def test_APluginThatHangsWhileItIsLoadedIsNamed(self):
        # All at once: each waits for as long as the program has patience.
        environment = {"FANFOLD_MISBEHAVE_CONSTRUCT": "hang"}
        commands = [["run", MISBEHAVE, self.text, "--at", "map"], ["run", MISBEHAVE, self.text],
                    ["jobs", "describe", MISBEHAVE]]
        for run in [self.start(*command, environment=environment) for command in commands]:
            out, error = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual((run.returncode, out), (4, b""), error)
            error = b"".join(line for line in error.splitlines(True) if b"shards" not in line)  # progress
            self.assertIn("libmisbehave.so", self.one_sentence(error))
        self.assert_nothing_left()

    # ---- outputs and TMPDIR ------------------------------------------------------------------------

    def test_AnOutputThatCannotBeWrittenIsNamedAndNothingIsHalfWritten(self):
        self.refused(3, "run", "wordcount", self.text, "--output", "no/such/folder/out.csv", says=["out.csv"])
        self.refused(3, "run", "wordcount", self.text, "--output", self.folder, says=[str(self.folder)])
        self.refused(3, "run", "wordcount", self.text, "--output", "/dev/full", says=["/dev/full", "space"])
        self.refused(2, "run", "wordcount", self.text, "--output", "", says=["--output"])
        self.refused(2, "run", "wordcount", self.text, "--json-summary", "", says=["--json-summary"])
        self.assertEqual(self.entries(), ["text", "tmp"])

    def test_AnOutputThatMustNotBeWrittenIsNamedAndLeftAlone(self):
        before = self.without_rights()
        os.chmod(self.file("old.csv", b"old"), 0o444)
        self.refused(3, "run", "wordcount", self.text, "--output", "old.csv", before=before, says=["old.csv", "denied"])
        self.assertEqual((self.folder / "old.csv").read_bytes(), b"old")
        (self.folder / "shut").mkdir(mode=0o500)
        self.refused(3, "run", "wordcount", self.text, "--output", "shut/new.csv", before=before,
                     says=["shut/new.csv", "denied"])
        self.assertEqual(list((self.folder / "shut").iterdir()), [])

    def test_ASummaryThatCannotBeWrittenIsNamedBeforeAnythingRuns(self):
        self.refused(3, "run", "wordcount", self.text, "--json-summary", "no/such/folder/told.json", "--output",
                     "out.csv", says=["told.json"])
        self.refused(2, "run", "wordcount", self.text, "--json-summary", "./same", "--output", "same", says=["same"])
        self.assertEqual(self.entries(), ["text", "tmp"])

    def test_AFullDiskIsNamedAndLeavesNoHalfOutput(self):
        # A file system of a few pages in a mount namespace of its own: `full` is where it is.
        (self.folder / "full").mkdir()
        (self.folder / "full-tmp").mkdir()
        self.file("many", many_words(200_000))

        def in_small_space(command):
            script = ("mount -t tmpfs -o size=64k tmpfs full && mount -t tmpfs -o size=256k tmpfs full-tmp && "
                      "echo old > full/out.csv && { " + command + "; code=$?; ls -A full full-tmp; cat full/out.csv; exit $code; }")
            for space in (["unshare", "-m"], ["unshare", "-Urm"]):
                if subprocess.run([*space, "mount", "-t", "tmpfs", "tmpfs", self.folder / "full"],
                                  capture_output=True).returncode == 0:
                    return subprocess.run([*space, "bash", "-c", script, "bash", PROGRAM], cwd=self.folder,
                                          env=self.environment, capture_output=True, timeout=TIMEOUT_S)
            self.skipTest("this container allows no mount namespace")

        nothing_changed = b"full:\nout.csv\n\nfull-tmp:\nold\n"
        for flags in ("", "--sequential"):
            done = in_small_space(f"$1 run wordcount many --output full/out.csv {flags}")
            self.assertEqual((done.returncode, done.stdout), (3, nothing_changed), done.stderr)
            self.assertIn("full/out.csv", self.one_sentence(done.stderr))
            self.assertIn("No space left", self.one_sentence(done.stderr))
        done = in_small_space("cat many | TMPDIR=full-tmp $1 run wordcount - --output full/out.csv")
        self.assertEqual((done.returncode, done.stdout), (3, nothing_changed), done.stderr)
        sentence = self.one_sentence(done.stderr)
        for word in ("standard input", "full-tmp", "room", "TMPDIR"):
            self.assertIn(word, sentence)
        self.assert_nothing_left()

    def test_AFileSizeLimitIsASentenceToo(self):
        many = self.file("many", many_words(50_000))
        script = 'ulimit -f 64; exec "$@"'
        for arguments, words in ((["run", "wordcount", many, "--output", "out.csv"], ["out.csv", "File too large"]),
                                 (["run", "wordcount", "-"], ["standard input", "room"])):
            with open(many, "rb") as stdin:
                done = subprocess.run(["bash", "-c", script, "bash", *self.command(*arguments)], env=self.environment,
                                      cwd=self.folder, stdin=subprocess.Popen(["cat", many], stdout=subprocess.PIPE).stdout,
                                      capture_output=True, timeout=TIMEOUT_S)
            self.assertEqual((done.returncode, done.stdout), (3, b""), done.stderr)
            for word in words:
                self.assertIn(word, self.one_sentence(done.stderr))
        self.assertEqual(self.entries(), ["many", "text", "tmp"])

    def test_MoreWorkersThanTheUserMayHaveFilesForAreRefused(self):
        script = 'ulimit -n 100; exec "$@"'
        self.refused(2, "run", "wordcount", self.text, "--workers", 30, before=["bash", "-c", script, "bash"],
                     says=["30 workers", "184", "100", "--workers"])
        soft = 'ulimit -S -n 30; exec "$@"'
        done = self.done("run", "wordcount", self.text, "--format", "csv", before=["bash", "-c", soft, "bash"])
        self.assertEqual(done.stdout, b"word,count\na,2\nb,1\n")

    def test_ASpoolThatGrowsTooLongIsNamed(self):
        self.refused(3, "run", "wordcount", "-", "--spool-bytes-max", "1KB", stdin=b"word " * 1000,
                     says=["standard input", "1000 bytes", "--spool-bytes-max"])

    def test_ATmpdirTooLongNotThereOrNotWritableIsNamed(self):
        long = self.tmp / ("x" * 100)
        long.mkdir()
        for value, words in ((long, ["TMPDIR", "too long"]), (self.folder / "nowhere", ["TMPDIR", "nowhere"]),
                             (self.text, ["TMPDIR", "text"])):
            done = self.fanfold("run", "wordcount", self.text, environment={"TMPDIR": str(value)})
            self.assertEqual((done.returncode, done.stdout), (3, b""), done.stderr)
            for word in words:
                self.assertIn(word, self.one_sentence(done.stderr))
        long.rmdir()
        before = self.without_rights()
        shut = self.folder / "shut"
        shut.mkdir(mode=0o500)
        for stdin in (None, b"x y"):
            done = self.fanfold("run", "wordcount", "text" if stdin is None else "-", stdin=stdin, before=before,
                                environment={"TMPDIR": str(shut)})
            self.assertEqual((done.returncode, done.stdout), (3, b""), done.stderr)
            self.assertIn("TMPDIR", self.one_sentence(done.stderr))
            self.assertIn("shut", self.one_sentence(done.stderr))

    def test_AWrongFlagIsASentence(self):
        for arguments, words in (
                (["--format", "xml"], ["--format", "xml", "jsonl"]), (["--memory", "lots"], ["--memory", "lots"]),
                (["--memory", "100MiB", "--slots", 2], ["--memory is 100 MiB", "2 slots", "104 MiB"]),
                (["--memory", "1MiB", "--sequential"], ["--memory is 1 MiB", "twin", "48 MiB"]), (["--workers", 0], ["--workers", "at least 1"]),
                (["--workers", "two"], ["--workers", "two"]), (["--slots", 100_000], ["--slots", "4096"]),
                (["--shard-bytes", "0"], ["--shard-bytes"]), (["--memory"], ["--memory", "needs a value"]),
                (["--top"], ["--top", "needs a value"]), (["-x"], ["-x", "no flag"])):
            self.refused(2, "run", "wordcount", self.text, *arguments, says=words)
        self.refused(2, "run", "wordcount", says=["no input"])
        self.refused(2, "run", says=["no job"])
        self.refused(2, "walk", says=["walk", "--help"])
        self.refused(2, "jobs", "describe", says=["fanfold jobs describe NAME"])
        self.refused(2, "jobs", "--what", says=["--what"])


if __name__ == "__main__":
    main(BadInput)
