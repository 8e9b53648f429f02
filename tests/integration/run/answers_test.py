#!/usr/bin/env python3
"""What the program answers: the words of files, and the same bytes however they are counted."""
import gzip
import random
import re

from harness import *


class Answers(RunTest):
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

    def assert_twin_on_any_workers(self, text, shard_bytes):
        path = self.file("text", text)
        twin = self.count(path, "--sequential", "--quiet")
        for workers in (1, 2, 4, 7):
            for flags in ([], ["--shard-bytes", shard_bytes]):
                # Not assertEqual: nobody wants to read the difference of ten megabytes.
                same = self.count(path, "--workers", workers, *flags, "--quiet") == twin
                self.assertTrue(same, f"{workers} workers {flags} differ from the twin")
        return twin

    def test_FewKeysGiveTheTwinsBytesOnOneTwoFourAndSevenWorkers(self):
        text = some_text(60_000, 40)
        self.assertEqual(self.assert_twin_on_any_workers(text, "4KiB"), csv_of(words_of(text)))

    def test_AMillionKeysGiveTheTwinsBytesOnOneTwoFourAndSevenWorkers(self):
        text = many_words(1_000_000)
        twin = self.assert_twin_on_any_workers(text, "256KiB")
        self.assertGreater(twin.count(b"\n"), 999_000)

    def test_SkewedKeysGiveTheTwinsBytesOnOneTwoFourAndSevenWorkers(self):
        # Nine of ten words are one word, the others nearly all different.
        rng = random.Random(11)
        text = b"".join(b"the " if rng.random() < 0.9 else b"%x\n" % rng.getrandbits(40) for _ in range(200_000))
        self.assertEqual(self.assert_twin_on_any_workers(text, "16KiB"), csv_of(words_of(text)))

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

    def test_LowerAndPatternSayWhatAWordIs(self):
        # U+00A0 and U+2003 are no white space of C's, and bytes beyond ASCII are neither changed nor lost.
        text = "Don't STOP\u00a0it \u00c4rger_9 \u2003x-1\v\fx-1\r\nDON'T".encode()
        path = self.file("text", text)
        oracle = {
            (): re.split(rb"[ \t\n\v\f\r]+", text),
            ("--pattern", "letters"): re.findall(rb"[A-Za-z]+", text),
            ("--pattern", "nonword"): re.split(rb"[^A-Za-z0-9_]+", text),
        }
        for flags, words in oracle.items():
            for lower in ((), ("--lower",)):
                expected = csv_of(words_of(b" ".join(word.lower() if lower else word for word in words)))
                for cut in ((), ("--shard-bytes", 3), ("--sequential",)):
                    self.assertEqual(self.count(path, *flags, *lower, *cut), expected, (flags, lower, cut))

    def test_BinaryInputAndLongLinesAreLegal(self):
        rng = random.Random(3)
        text = bytes(rng.randrange(256) for _ in range(300_000)) + b"\n" + b"x" * 3_000_000 + b" end"
        path = self.file("binary", text)
        self.assertEqual(self.count(path, "--shard-bytes", "64KiB"), csv_of(words_of(text)))

    def test_EmptyInputGivesTheHeaderAndExitZero(self):
        path = self.file("empty", b"")
        self.assertEqual(self.count(path), b"word,count\n")
        self.assertEqual(self.count(path, "--sequential"), b"word,count\n")
        self.assertEqual(self.count("-", stdin=b""), b"word,count\n")

    def test_AllMembersOfGzipAreRead(self):
        path = self.file("two.gz", gzip.compress(b"a b ") + gzip.compress(b"a c\n"))
        self.assertEqual(self.count(path), csv_of(words_of(b"a b a c\n")))


if __name__ == "__main__":
    main(Answers)
