#!/usr/bin/env python3
"""--memory bounds the whole run: the peaks of its processes add up to no more, or it says with numbers why it cannot."""
import json

from harness import *

MEBI = 1 << 20


class Memory(RunTest):
    def run_within(self, mebibytes, *arguments):
        """Runs wordcount in so much memory: the run, its summary, and what its processes held at their peaks together."""
        summary = self.folder / "summary.json"
        done = self.fanfold("run", "wordcount", *arguments, "--format", "csv", "--memory", f"{mebibytes}MiB",
                            "--json-summary", summary, "--quiet")
        told = json.loads(summary.read_text())
        return done, told, sum(process["peak_rss_bytes"] for process in told["processes"])

    def test_ASmallMemoryShowsSeveralBundlesAndTheTwinsBytes(self):
        path = self.file("many", many_words(300_000))
        done, told, _ = self.run_within(128, path, "--slots", 2, "--top", 1000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout == self.count(path, "--sequential", "--top", 1000))
        self.assertGreater(told["bundles"], 1)

    def test_ThePeaksOfAllProcessesStayWithinTheMemoryGiven(self):
        if b"sanitizer" in self.done("--version").stdout:
            self.skipTest("a sanitizer's own memory is counted too")
        path = self.file("many", many_words(700_000))
        for flags in (["--slots", 2], ["--workers", 2, "--slots", 1], ["--sequential"]):
            for mebibytes in (144, 192, 256, 512):
                done, told, peaks = self.run_within(mebibytes, path, "--top", 10, *flags)
                self.assertIn(done.returncode, (0, 4) if mebibytes < 512 else (0,), done.stderr)
                self.assertLessEqual(peaks, mebibytes * MEBI, (flags, told["processes"]))

    def test_WhatDoesNotFitTheMemoryEndsTheRunWithTheNumbers(self):
        path = self.file("many", many_words(700_000))
        for flags in (["--memory", "104MiB", "--slots", 2], ["--memory", "48MiB", "--sequential"]):
            sentence = self.refused(4, "run", "wordcount", path, *flags, says=["raise --memory"])
            self.assertRegex(sentence, r"\d+ (MiB|bytes)")


if __name__ == "__main__":
    main(Memory)
