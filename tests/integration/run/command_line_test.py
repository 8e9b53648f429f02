#!/usr/bin/env python3
"""The rest of the command line: version, help, jobs and where they are found, flags from the environment."""
import re
import shutil

from harness import *


class CommandLine(RunTest):
    def setUp(self):
        super().setUp()
        self.text = self.file("text", b"a b a\n")

    def test_VersionTellsBuildProtocolInterfaceKernelsAndZeroMq(self):
        for word in ("--version", "version"):
            lines = self.done(word).stdout.decode().splitlines()
            self.assertRegex(lines[0], r"^fanfold \d+\.\d+\.\d+ \(.+\)$")
            self.assertRegex(lines[1], r"^protocol \d+$")
            self.assertRegex(lines[2], r"^plugin interface \d+\.\d+$")
            self.assertRegex(lines[3], r"^kernels (portable|avx2|avx512)$")
            self.assertRegex(lines[4], r"^ZeroMQ \d+\.\d+\.\d+ with(out)? libsodium$")
            self.assertEqual(len(lines), 5)
        forced = self.done("--version", environment={"FANFOLD_KERNELS": "portable"}).stdout
        self.assertIn(b"kernels portable", forced)
        self.refused(2, "--version", environment={"FANFOLD_KERNELS": "mmx"}, says=["FANFOLD_KERNELS", "mmx"])

    def test_HelpTellsCommandsFlagsAndTheJobsParameters(self):
        self.assertIn(b"fanfold run JOB INPUT", self.done("--help").stdout)
        documented = (pathlib.Path(__file__).resolve().parents[3] / "docs/cli.md").read_text()
        for command, title, number in (("run", "| flag | meaning |", 15), ("root", "| of root | meaning |", 8),
                                       ("worker", "| of worker | meaning |", 6)):
            flags = set(re.findall(r"^  (--[a-z-]+)", self.done(command, "--help").stdout.decode(), re.MULTILINE))
            self.assertGreater(len(flags), number)
            table = documented.split(title)[1].split("\n\n")[0]
            for flag in flags:
                self.assertIn(f"`{flag}", table, f"docs/cli.md has every flag of {command}")
            self.assertEqual(set(re.findall(r"^\| `(--[a-z-]+)", table, re.MULTILINE)) - flags, set(), command)
        self.assertIn("--min-count", self.done("run", "wordcount", "--help").stdout.decode())
        self.refused(2, "run", "./text", "--help", says=["/text"])
        self.assertIn(b"describe NAME", self.done("jobs", "--help").stdout)

    def test_JobsAreFoundByPathFolderAndEnvironmentAndTheFirstWins(self):
        first, second = self.folder / "first", self.folder / "second"
        for folder in (first, second):
            folder.mkdir()
            shutil.copy(TEST_JOBS / "libnumbers.so", folder / "libnumbers.so")
        shutil.copy(TEST_JOBS / "libnoop.so", second / "libwordcount.so")
        shutil.copy(TEST_JOBS / "libnoop.so", second / "libonlyhere.so")

        def listed(*arguments, **options):
            """Name, whether it is shadowed, and path of each."""
            lines = self.done("jobs", *arguments, **options).stdout.decode().splitlines()
            return [(lines[at].split()[0], "(shadowed)" in lines[at], lines[at + 1].strip())
                    for at in range(0, len(lines), 2)]

        ours = listed()
        self.assertIn("wordcount", [name for name, _, _ in ours])
        self.assertEqual([shadowed for _, shadowed, _ in ours], [False] * len(ours))
        both = listed("--plugin-path", first, environment={"FANFOLD_PLUGIN_PATH": f"{second}:nowhere"})
        self.assertEqual(both[:4], [("numbers", False, str(first / "libnumbers.so")),
                                    ("numbers", True, str(second / "libnumbers.so")),
                                    ("onlyhere", False, str(second / "libonlyhere.so")),
                                    ("wordcount", False, str(second / "libwordcount.so"))])
        self.assertEqual([(name, shadowed) for name, shadowed, _ in both[4:]], [(name, True) if name == "wordcount" else
                                                                               (name, False) for name, _, _ in ours])

        described = self.done("jobs", "describe", "numbers", "--plugin-path", second, "--plugin-path", first).stdout
        self.assertIn(str(second / "libnumbers.so").encode(), described)
        out = self.done("run", "wordcount", self.text, "--format", "csv", "--plugin-path", second).stdout
        self.assertEqual(out, b"shards\n1\n", "the first wordcount is another job")
        self.assertEqual(self.count(self.text), b"word,count\na,2\nb,1\n")
        out = self.done("run", "./second/libonlyhere.so", self.text, "--format", "csv").stdout
        self.assertEqual(out, b"shards\n1\n")

    def test_DescribeDocumentsParametersColumnsAndOrder(self):
        text = self.done("jobs", "describe", "wordcount").stdout.decode()
        for words in ("wordcount 1.0.0: ", "--top N", "(default 0", "--pattern space|letters|nonword", "--lower",
                      "word (text)", "count (uint64)", "Order: count descending, then word ascending",
                      "libwordcount.so (interface 1."):
            self.assertIn(words, text)

    def test_AJobThatCannotBeLoadedIsListedWithTheReason(self):
        folder = self.folder / "plugins"
        folder.mkdir()
        (folder / "libtext.so").write_text("no library")
        listed = self.done("jobs", "--plugin-path", folder).stdout.decode()
        self.assertRegex(listed, r"text +- +cannot be used: .*shared library")
        self.assertIn("wordcount", listed)

    def test_ParamSetsAnyParameter(self):
        self.assertEqual(self.count(self.text, "--param", "top=1"), b"word,count\na,2\n")
        self.assertEqual(self.count(self.text, "--param=min-count=2", "--param", "lower=true"), b"word,count\na,2\n")
        self.assertEqual(self.count(self.text, "--param", "top=2", "--param", "top=1"), b"word,count\na,2\n")

    def test_FlagsComeFromTheEnvironmentAndTheCommandLineWins(self):
        environment = {"FANFOLD_FORMAT": "csv", "FANFOLD_QUIET": "1", "FANFOLD_LIMIT": "1", "FANFOLD_SHARD_BYTES": "2"}
        done = self.done("run", "wordcount", self.text, environment=environment)
        self.assertEqual((done.stdout, done.stderr), (b"word,count\na,2\n", b""))
        done = self.done("run", "wordcount", self.text, "--limit", 2, "--format", "jsonl", environment=environment)
        self.assertEqual(done.stdout, b'{"word":"a","count":2}\n{"word":"b","count":1}\n')
        self.refused(2, "run", "wordcount", self.text, environment={"FANFOLD_WORKERS": "many"},
                     says=["FANFOLD_WORKERS", "many"])

    def test_FlagsMayStandAnywhereAndInputsMayLookLikeFlags(self):
        self.file("--top", b"x\n")
        self.assertEqual(self.count("--top", 1, self.text, "--slots=1"), b"word,count\na,2\n")
        out = self.done("run", "--format", "csv", "--workers", 1, "wordcount", "--", "--top").stdout
        self.assertEqual(out, b"word,count\nx,1\n")


if __name__ == "__main__":
    main(CommandLine)
