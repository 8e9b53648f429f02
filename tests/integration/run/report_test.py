#!/usr/bin/env python3
"""What a run tells beside its rows: progress, the summary for people, the summary for programs."""
import fcntl
import json
import os
import pty
import re
import struct
import termios

from harness import *


class Report(RunTest):
    def on_a_terminal(self, *arguments):
        """Runs with standard error on a terminal; what appeared there, and the exit code."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        run = self.start(*arguments, stderr=theirs, environment={"TERM": "xterm"})
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:  # the terminal has no other end any more
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
        run.communicate(timeout=TIMEOUT_S)
        return shown.decode(), run.returncode

    def test_OnATerminalABarIsShownAndGoneAtTheEnd(self):
        slow = ["run", MISBEHAVE, "range:0..20", "--shard-items", 1, "--slots", 1, "--milliseconds", 100]
        shown, code = self.on_a_terminal(*slow)
        self.assertEqual(code, 0, shown)
        bars = re.findall(r"\r\[=*>? *\]  +\d+ %  [\d,]+ of 20 shards[^\r]*\x1b\[K", shown)
        self.assertGreater(len(bars), 3, shown)
        self.assertTrue(any("left" in bar for bar in bars), shown)
        # Behind the last bar its line is erased, and only the summary follows.
        rest = shown[shown.rindex(bars[-1]) + len(bars[-1]):]
        self.assertTrue(rest.startswith("\r\x1b[K"), repr(rest))
        self.assertTrue(rest.lstrip("\r\x1b[K").startswith("libmisbehave.so: "), repr(rest))
        shown, code = self.on_a_terminal(*slow, "--quiet")
        self.assertEqual((shown, code), ("", 0))

    def test_OnATerminalTheBarShowsBytesPerSecond(self):
        path = self.file("text", b"0123456789\n" * 2000)
        shown, code = self.on_a_terminal("run", MISBEHAVE, path, "--shard-bytes", 1000, "--slots", 1, "--milliseconds", 50)
        self.assertEqual(code, 0, shown)
        self.assertRegex(shown, r"of 22 shards, [\d.]+ [kM]?B/s, [\d.]+ (m?s|us) left")

    def test_AFailureOnATerminalTakesTheBarAwayFirst(self):
        shown, code = self.on_a_terminal("run", MISBEHAVE, "range:0..20", "--shard-items", 1, "--slots", 1,
                                         "--milliseconds", 100, "--do", "throw", "--in-shard", 15)
        self.assertEqual(code, 4, shown)
        self.assertRegex(shown, r"\x1b\[K\r\x1b\[Kfanfold: job ")

    def test_ElsewhereALineIsPrintedEveryTenSeconds(self):
        slow = ["run", MISBEHAVE, "range:0..110", "--shard-items", 1, "--slots", 1, "--milliseconds", 100]
        runs = [self.start(*slow), self.start(*slow, "--quiet")]
        errors = [run.communicate(timeout=TIMEOUT_S)[1].decode() for run in runs]
        lines = [line for line in errors[0].splitlines() if "shards" in line and line.startswith("fanfold: ")]
        self.assertGreaterEqual(len(lines), 1, errors[0])
        for line in lines:
            self.assertRegex(line, r"^fanfold: \d+ %, \d+ of 110 shards(, [\d.]+ m?s left|, ordering the rows)?$")
        self.assertEqual(errors[1], "")

    def test_TheSummaryTellsWhatWasDoneAndWhereTheTimeWent(self):
        path = self.file("text", some_text(20_000, 500))
        error = self.done("run", "wordcount", path).stderr.decode()
        bytes_read = (self.folder / "text").stat().st_size
        self.assertRegex(error, r"^wordcount: [\d,]+ rows in [\d.]+ m?s\n")
        self.assertRegex(error, rf"\n  input    {bytes_read / 1000:.3g} kB, 20,000 records, [\d.]+ [kM]?B/s\n")
        self.assertRegex(error, r"\n  work     \d+ shards?, \d+ leases?, \d+ bundles?, 0 retries\n")
        self.assertRegex(error, r"\n  slots    read and map .* \(\d+ %\).*idle .* \(\d+ %\)\n")
        for role in ("root", "worker", "gatherer", "supervisor"):
            self.assertRegex(error, rf"\n  memory   .*{role} \d+ [\d.]+ MB")
        self.assertRegex(error, r"\n  machine  \d+ cores?, [\d.]+ [GT]B, \w+ kernels\n$")
        self.assertEqual(self.done("run", "wordcount", path, "--quiet").stderr, b"")

    def test_AnEmptyRunHasASummaryThatSaysZero(self):
        error = self.done("run", "wordcount", self.file("empty", b"")).stderr.decode()
        self.assertRegex(error, r"^wordcount: 0 rows in ")
        self.assertIn("\n  input    0 B, 0 records\n", error)

    def check_schema(self, told, exit_code):
        """docs/cli.md has the fields."""
        whole, real, text = int, (int, float), str
        fields = {"schema": whole, "run_id": text, "job": text, "bytes": whole, "records": whole, "skipped": whole,
                  "rows": whole, "shards": whole, "leases": whole, "bundles": whole, "retries": whole, "drops": whole,
                  "coverage": real, "exit_code": whole, "wall_seconds": real, "slot_seconds": dict, "processes": list,
                  "machine": dict, "notes": list}
        self.assertEqual(set(told), set(fields))
        for name, kind in fields.items():
            self.assertIsInstance(told[name], kind, name)
        self.assertEqual(told["schema"], 1)
        self.assertEqual(told["exit_code"], exit_code)
        self.assertRegex(told["run_id"], r"^[0-9a-f]{32}$")
        self.assertEqual(set(told["slot_seconds"]), {"read_map", "seal_pack", "wire", "merge", "finish", "idle"})
        self.assertEqual(set(told["machine"]), {"cpus", "memory_bytes", "kernels"})
        for process in told["processes"]:
            self.assertEqual(set(process), {"role", "pid", "peak_rss_bytes"})

    def test_TheSummaryHasItsSchemaAndTellsEveryProcess(self):
        text = some_text(200_000, 50_000)
        path = self.file("text", text)
        for flags, slots in ((["--workers", 2, "--slots", 2], 4), (["--slots", 1, "--shard-bytes", "64KiB"], 1)):
            self.count(path, "--json-summary", "told.json", "--quiet", *flags)
            told = json.loads((self.folder / "told.json").read_text())
            self.check_schema(told, 0)
            self.assertEqual((told["job"], told["coverage"]), ("wordcount", 1))
            self.assertEqual((told["bytes"], told["records"]), (len(text), 200_000))
            self.assertEqual(told["rows"], len(words_of(text)))
            self.assertGreaterEqual(told["leases"], 1)
            roles = sorted(process["role"] for process in told["processes"])
            workers = 2 if slots == 4 else 1
            self.assertEqual(roles, ["gatherer", "root"] + ["supervisor"] * workers + ["worker"] * workers)
            for process in told["processes"]:
                self.assertGreater(process["peak_rss_bytes"], 1 << 20, process)
            self.assertEqual(len({process["pid"] for process in told["processes"]}), 2 + 2 * workers)
            seconds = told["slot_seconds"]
            self.assertTrue(all(value >= 0 for value in seconds.values()), seconds)
            self.assertAlmostEqual(sum(seconds.values()), slots * told["wall_seconds"], delta=1e-6)
            self.assertGreater(seconds["read_map"], 0)

    def test_TheTwinsSummaryHasTheSameSchema(self):
        text = some_text(2_000, 50)
        self.count(self.file("text", text), "--json-summary", "told.json", "--quiet", "--sequential")
        told = json.loads((self.folder / "told.json").read_text())
        self.check_schema(told, 0)
        self.assertEqual((told["records"], told["bytes"], told["rows"]), (2_000, len(text), len(words_of(text))))
        self.assertAlmostEqual(sum(told["slot_seconds"].values()), told["wall_seconds"], delta=1e-6)

    def test_AFailedRunsSummaryHasItsExitCode(self):
        self.refused(4, "run", MISBEHAVE, "range:0..10", "--do", "throw", "--json-summary", "told.json")
        self.check_schema(json.loads((self.folder / "told.json").read_text()), 4)
        many = self.file("many", many_words(20_000))
        self.refused(3, "run", "wordcount", many, "--output", "/dev/full", "--json-summary", "told.json")
        self.check_schema(json.loads((self.folder / "told.json").read_text()), 3)

    def test_WhatFailsBeforeAnythingIsMappedIsOneSentenceAndNoMore(self):
        (self.folder / "void").mkdir()
        for arguments in (["wordcount", "void"], ["./void/none.so", "void"], [TEST_JOBS / "libnojob.so", "range:0..3"],
                          [MISBEHAVE, "range:0..3", "--do", "throw", "--at", "open"]):
            error = self.fanfold("run", *arguments).stderr
            self.assertEqual(error.count(b"\n"), 1, error)


if __name__ == "__main__":
    main(Report)
