#!/usr/bin/env python3
"""Where rows go and how they look: four formats, files that appear whole, pipes, links, limits."""
import base64
import json
import os
import stat
import subprocess

from harness import *

WHOLE = b"word,count\na,2\nb,1\n"


class Outputs(RunTest):
    def setUp(self):
        super().setUp()
        self.text = self.file("text", b"a b a\n")

    def formatted(self, name, *arguments, **options):
        return self.done("run", "wordcount", "--format", name, *arguments, **options).stdout

    def test_EachFormatShowsTheSameRows(self):
        # A comma, a quote, a control byte, UTF-8, and bytes that are none.
        words = [b'say"so,', b"bell\x07", "\u00e9t\u00e9".encode(), b"\xff\xfe", b"\x1b[31m"]
        path = self.file("odd", b" ".join(word for index, word in enumerate(words) for _ in range(5 - index)))
        rows = [(word, 5 - index) for index, word in enumerate(words)]
        self.assertEqual(self.formatted("csv", path), csv_of(rows))

        lines = [json.loads(line) for line in self.formatted("jsonl", path).decode().splitlines()]
        as_json = [{"word": {"base64": base64.b64encode(word).decode()} if b"\xff" in word else word.decode(),
                    "count": count} for word, count in rows]
        self.assertEqual(lines, as_json)
        self.assertEqual(json.loads(self.formatted("json", path).decode()), as_json)

        table = self.formatted("table", path)
        self.assertEqual([byte for byte in table if byte < 0x20 and byte != 0x0A], [], "no control byte gets through")
        lines = table.split(b"\n")
        self.assertEqual(lines[0].split(), [b"word", b"count"])
        self.assertEqual(lines[2].split(), [b'say"so,', b"5"])
        self.assertEqual(lines[3].split(), [rb"bell\x07", b"4"])
        self.assertEqual(lines[4].split(), ["\u00e9t\u00e9".encode(), b"3"])
        self.assertEqual(len({len(line.decode(errors="replace")) for line in lines[0:5]}), 1, "columns are aligned")
        self.assertEqual(self.done("run", "wordcount", path).stdout, table, "a table is the default")

    def test_NoRowsAreSaidInEachFormat(self):
        empty = self.file("empty", b"")
        self.assertEqual(self.formatted("csv", empty), b"word,count\n")
        self.assertEqual(json.loads(self.formatted("json", empty)), [])
        self.assertEqual(self.formatted("jsonl", empty), b"")
        self.assertEqual(self.formatted("table", empty).split()[:2], [b"word", b"count"])

    def test_LimitCutsRowsInEachFormatAndBesideTop(self):
        rows = {"csv": lambda out: len(out.splitlines()) - 1, "json": lambda out: len(json.loads(out)),
                "jsonl": lambda out: len(out.splitlines()), "table": lambda out: len(out.splitlines()) - 2}
        for name, count in rows.items():
            for limit, expected in ((1, 1), (2, 2), (9, 2)):
                self.assertEqual(count(self.formatted(name, self.text, "--limit", limit)), expected, (name, limit))
        self.assertEqual(self.count(self.text, "--limit", 2, "--top", 1), b"word,count\na,2\n")
        self.assertEqual(self.count(self.text, "--limit", 1, "--top", 2), b"word,count\na,2\n")

    def test_AnOutputAppearsWholeAndKeepsTheOldOneOnFailure(self):
        self.count(self.text, "--output", "out.csv")
        self.assertEqual((self.folder / "out.csv").read_bytes(), WHOLE)
        self.refused(3, "run", "wordcount", self.text, "missing", "--output", "out.csv", says=["missing"])
        self.refused(4, "run", MISBEHAVE, "range:0..10", "--do", "throw", "--at", "finish", "--output", "out.csv")
        self.assertEqual((self.folder / "out.csv").read_bytes(), WHOLE)
        self.assertEqual(self.entries(), ["out.csv", "text", "tmp"])

    def test_AnOutputReplacesALinksTargetAndKeepsItsMode(self):
        target = self.folder / "real/target.csv"
        self.file("real/target.csv", b"old")
        target.chmod(0o640)
        (self.folder / "link.csv").symlink_to("real/target.csv")
        self.count(self.text, "--output", "link.csv")
        self.assertTrue((self.folder / "link.csv").is_symlink())
        self.assertEqual(target.read_bytes(), WHOLE)
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o640)
        (self.folder / "new-link.csv").symlink_to("real/new.csv")
        self.count(self.text, "--output", "new-link.csv")
        self.assertEqual((self.folder / "real/new.csv").read_bytes(), WHOLE)

    def test_AnOutputThatIsNoFileIsWrittenInPlace(self):
        self.assertEqual(self.count(self.text, "--output", "/dev/null"), b"")
        self.assertTrue(stat.S_ISCHR(os.stat("/dev/null").st_mode))
        self.assertEqual(self.count(self.text, "--output", "/dev/stdout"), WHOLE)
        self.assertEqual(self.count(self.text, "--output", "-"), WHOLE)
        os.mkfifo(self.folder / "fifo")
        run = self.start("run", "wordcount", self.text, "--format", "csv", "--output", "fifo")
        self.assertEqual((self.folder / "fifo").read_bytes(), WHOLE)
        run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0)
        self.assertTrue(stat.S_ISFIFO((self.folder / "fifo").stat().st_mode))

    def test_NeitherResultNorSummaryReplacesAnInput(self):
        (self.folder / "link").symlink_to("text")
        (self.folder / "hard").hardlink_to(self.text)
        for flag in ("--output", "--json-summary"):
            for name in ("text", "./text", self.text, "link", "hard"):
                self.refused(2, "run", "wordcount", self.text, flag, name, says=["input"])
        with open(self.text, "ab") as stdout:
            run = self.start("run", "wordcount", self.text, stdout=stdout)
            error = run.communicate(timeout=TIMEOUT_S)[1]
        self.assertEqual(run.returncode, 3)
        self.assertIn("input", self.one_sentence(error))
        self.assertEqual((self.folder / "text").read_bytes(), b"a b a\n")

    def test_AReaderThatGoesAwayEndsTheRunQuietly(self):
        path = self.file("large", many_words(200_000))
        for flags in ([], ["--sequential"]):
            run = self.start("run", "wordcount", path, "--format", "csv", *flags)
            run.stdout.readline()
            run.stdout.close()
            error = run.stderr.read()
            run.wait(timeout=TIMEOUT_S)
            self.assertEqual(error, b"")
            self.assertEqual(run.returncode, 0)
            self.assert_nothing_left()
        script = f"set -o pipefail; '{PROGRAM}' run wordcount '{path}' | head -n 2 | wc -l"
        done = subprocess.run(["bash", "-c", script], env=self.environment, capture_output=True, timeout=TIMEOUT_S)
        self.assertEqual((done.returncode, done.stdout.strip(), done.stderr), (0, b"2", b""))


if __name__ == "__main__":
    main(Outputs)
