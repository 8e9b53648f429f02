#!/usr/bin/env python3
"""What INPUT may be: files, folders, globs, links, pipes, lists, compressed files, ranges."""
import gzip
import os
import subprocess

from harness import *


class Inputs(RunTest):
    def test_AFolderGivesHiddenFilesAndFollowsNoLinkInIt(self):
        self.file("outside", b"outside\n")
        self.file("in/a", b"a\n")
        self.file("in/.b", b"b\n")
        self.file("in/.c/d", b"d\n")
        self.file("in/empty", b"")
        (self.folder / "in/link").symlink_to("../outside")
        (self.folder / "in/folder-link").symlink_to("..")
        self.assertEqual(self.count("in"), csv_of(words_of(b"a b d")))
        self.assertEqual(self.count("in/link"), csv_of(words_of(b"outside")))

    def test_AnExistingPathWinsOverAGlob(self):
        self.file("a*", b"star\n")
        self.file("ab", b"other\n")
        self.file("[x]", b"brackets\n")
        self.assertEqual(self.count("a*"), csv_of(words_of(b"star")))
        self.assertEqual(self.count("a?"), csv_of(words_of(b"star other")))
        self.assertEqual(self.count("[x]"), csv_of(words_of(b"brackets")))

    def test_WhatIsNamedTwiceCountsTwice(self):
        path = self.file("text", b"x y x\n")
        (self.folder / "link").symlink_to("text")
        self.assertEqual(self.count("text", path, "link", "te*"), csv_of(words_of(b"x y x " * 4)))
        self.assertEqual(self.count("-", "-", stdin=b"p q"), csv_of(words_of(b"p q p q")))

    def test_PipesDevicesAndProcFilesAreRead(self):
        text = some_text(50_000, 3_000)
        self.file("text", text)
        script = f"'{PROGRAM}' run wordcount --format csv <(cat text) <(cat text; echo) /dev/null"
        done = subprocess.run(["bash", "-c", script], env=self.environment, cwd=self.folder, capture_output=True,
                              timeout=TIMEOUT_S)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, csv_of(words_of(text + b" " + text)))
        os.mkfifo(self.folder / "fifo")
        run = self.start("run", "wordcount", "--format", "csv", "fifo")
        (self.folder / "fifo").write_bytes(text)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(out, csv_of(words_of(text)), error)
        version = open("/proc/version", "rb").read()
        self.assertEqual(self.count("/proc/version"), csv_of(words_of(version)))
        self.assert_nothing_left()

    def test_ARedirectedFileIsReadFromWhereItStands(self):
        path = self.file("text", b"first second third\n")
        script = f"(read -n 6 -r; '{PROGRAM}' run wordcount --format csv -) < text"
        done = subprocess.run(["bash", "-c", script], env=self.environment, cwd=self.folder, capture_output=True,
                              timeout=TIMEOUT_S)
        self.assertEqual(done.stdout, csv_of(words_of(b"second third")), done.stderr)
        with open(path, "rb") as stdin:
            run = self.start("run", "wordcount", "--format", "csv", "-", stdin=stdin)
            out, _ = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(out, csv_of(words_of(b"first second third")))

    def test_GzipAndZstdFilesAreReadWholeByNameAndAStreamByItsFirstBytes(self):
        one, two = b"a b c\n", b"c d\n"
        self.file("in/two.gz", gzip.compress(one) + gzip.compress(two))
        frames = b"".join(subprocess.run(["zstd", "-q"], input=part, capture_output=True, check=True).stdout
                          for part in (one, two))
        self.file("in/two.zst", frames)
        expected = csv_of(words_of((one + two) * 2))
        self.assertEqual(self.count("in"), expected)
        self.assertEqual(self.count("in", "--sequential"), expected)
        self.assertEqual(self.count("-", stdin=frames), csv_of(words_of(one + two)))
        self.assertEqual(self.count("-", stdin=gzip.compress(one)), csv_of(words_of(one)))

    def test_LineEndsOfWindowsEmptyFilesAndMissingLastLineEndsChangeNothing(self):
        self.file("crlf", b"a b\r\nc\r\n")
        self.file("empty", b"")
        self.file("open", b"d\ne")
        expected = csv_of(words_of(b"a b c d e"))
        for flags in ([], ["--shard-bytes", 1], ["--sequential"]):
            self.assertEqual(self.count("crlf", "empty", "open", *flags), expected)

    def test_FilesFromReadsAListOfLinesOrOfZeroEndedNames(self):
        self.file("a b", b"blank\n")
        self.file("line\nend", b"newline\n")
        self.file("-", b"dash\n")
        self.file("in/x", b"folder\n")
        self.file("in/*", b"star\n")
        self.file("list", b"a b\n\nin\n-")
        self.assertEqual(self.count("--files-from", "list"), csv_of(words_of(b"blank folder star dash")))
        self.assertEqual(self.count("a b", "--files-from", "-", stdin=b"in/*\n"), csv_of(words_of(b"blank star")))
        zeros = b"line\nend\0a b\0"
        self.assertEqual(self.count("--files-from", "-", "-0", stdin=zeros), csv_of(words_of(b"newline blank")))
        self.file("zeros", b"a b\0-\0")
        self.assertEqual(self.count("--files-from", "zeros", "-0"), csv_of(words_of(b"blank dash")))
        self.refused(3, "run", "wordcount", "--files-from", "zeros", says=["zeros", "zero byte", "-0"])
        self.refused(3, "run", "wordcount", "--files-from", "-", stdin=b"a b\nnowhere\n", says=["nowhere", "entry 2"])
        self.refused(3, "run", "wordcount", "--files-from", "nowhere", says=["nowhere"])
        self.refused(2, "run", "wordcount", "-", "--files-from", "-", says=["standard input"])
        self.refused(2, "run", "wordcount", "list", "-0", says=["--files-from"])

    def test_AListOfTenThousandFilesIsRead(self):
        for number in range(100):
            self.file(f"in/{number}", b"w%d\n" % number)
        names = b"".join(b"in/%d\n" % (number % 100) for number in range(10_000))
        expected = csv_of(words_of(b"".join(b"w%d " % (number % 100) for number in range(10_000))))
        self.assertEqual(self.count("--files-from", "-", stdin=names), expected)

    def test_RangesAreCutIntoShardsOfIntegers(self):
        numbers = TEST_JOBS / "libnumbers.so"
        out = self.done("run", numbers, "range:-3..7", "range:0..5", "--shard-items", 2, "--format", "csv").stdout
        self.assertEqual(out, b"remainder,count,sum\n0,15,%d\n" % (sum(range(-3, 7)) + sum(range(5))))
        self.refused(2, "run", numbers, "range:7..3", says=["range:7..3"])
        self.refused(2, "run", numbers, "range:1..x", says=["range:1..x"])
        self.refused(2, "run", numbers, "range:5", says=["range:5"])


if __name__ == "__main__":
    main(Inputs)
