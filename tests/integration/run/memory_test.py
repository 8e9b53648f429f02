#!/usr/bin/env python3
"""--memory bounds the whole run: the peaks of its processes add up to no more, or it says with numbers why it cannot."""
import json

from harness import *


class Memory(RunTest):
    def peaks(self, *arguments):
        """Runs wordcount; its rows, its summary, and the bytes that its processes held at their peaks together."""
        summary = self.folder / "summary.json"
        out = self.count(*arguments, "--json-summary", summary, "--quiet")
        told = json.loads(summary.read_text())
        return out, told, sum(process["peak_rss_bytes"] for process in told["processes"])

    def test_ASmallMemoryShowsSeveralBundlesAndTheTwinsBytes(self):
        path = self.file("many", many_words(300_000).replace(b"\n", b" "))
        out, told, _ = self.peaks(path, "--memory", "96MiB", "--top", 1000)
        self.assertTrue(out == self.count(path, "--sequential", "--top", 1000))
        self.assertGreater(told["bundles"], 1)


if __name__ == "__main__":
    main(Memory)
