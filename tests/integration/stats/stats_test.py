#!/usr/bin/env python3
"""`fanfold run stats` as a user runs it, against Python's csv and fractions. One test a sentence.

Usage: stats_test.py PROGRAM SOURCE_FOLDER [TestName]. Exit 77: skipped, with the reason.
"""
import csv
import gzip
import io
import json
import os
import pathlib
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import oracle  # noqa: E402

PROGRAM = pathlib.Path(sys.argv[1]).resolve()
SOURCE = pathlib.Path(sys.argv[2]).resolve()
CASES = next((folder for folder in (SOURCE / "../shared/cases", SOURCE / "../../shared/cases") if folder.exists()), None)
TIMEOUT_S = 200

EVERYTHING = [("count", None), ("count", "x"), ("sum", "x"), ("mean", "x"), ("min", "x"), ("max", "x"), ("sum", "z"),
              ("mean", "z"), ("min", "z"), ("max", "z"), ("var", "x"), ("stddev_pop", "x"), ("var_pop", "z"),
              ("stddev", "z"), ("min", "t"), ("max", "t"), ("distinct", "t"), ("approx_distinct", "y"), ("mode", "t")]


def call(function, column):
    return "count()" if column is None else f"{function}({column})"


def table(rows, seed, keys):
    """Rows of a table that has what tables have: nulls, quotes, UTF-8, numbers of all kinds."""
    rng = random.Random(seed)
    header = ["few", "many", "skewed", "x", "y", "z", "t"]
    words = ["a", "b,c", 'say "hi"', "é世", " blank ", "", "10", "9.5", "9.50", "-0", "x" * 40]

    def number():
        kind = rng.randrange(10)
        if kind == 0:
            return ""
        if kind < 7:
            return f"{rng.randrange(-2000, 2000) / 10:.1f}"
        if kind == 7:
            return str(rng.randrange(-10**18, 10**18))
        if kind == 8:
            return f"{rng.randrange(10**12)}.{rng.randrange(10**18):018d}"
        return f"{rng.random():.3f}"

    def any_number():
        return rng.choice([number, number, lambda: f"{rng.uniform(-1, 1):.6e}", lambda: repr(rng.uniform(0, 1e25))])()

    made = []
    for _ in range(rows):
        made.append([rng.choice(["red", "green, dark", "blå", "", '"q"']), f"key {rng.randrange(keys)}",
                     str(min(int(rng.paretovariate(0.6)), 10**6)), number(), str(rng.randrange(1000)), any_number(),
                     rng.choice(words)])
    return header, made


def csv_bytes(header, rows, line_end="\n", delimiter=","):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator=line_end, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue().encode()


class Stats(unittest.TestCase):
    maxDiff = 4000

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="ff"))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("FANFOLD_")}

    def tearDown(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- helpers -------------------------------------------------------------------------------

    def file(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    def fanfold(self, *arguments, environment=None):
        return subprocess.run([PROGRAM, "run", "stats", "--quiet", *map(str, arguments)], capture_output=True,
                              timeout=TIMEOUT_S, cwd=self.folder, env={**self.environment, **(environment or {})})

    def ask(self, *arguments, environment=None):
        """The answer as csv; it must succeed."""
        done = self.fanfold("--format", "csv", *arguments, environment=environment)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def rows(self, *arguments):
        return list(csv.reader(io.StringIO(self.ask(*arguments).decode(), newline="")))[1:]

    def refused(self, code, *arguments, says=()):
        done = self.fanfold(*arguments)
        error = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, code, error)
        self.assertEqual(done.stdout, b"")
        sentences = [line for line in error.splitlines() if line.startswith("fanfold: ")]
        self.assertEqual(len(sentences), 1, error)
        for word in says:
            self.assertIn(word, sentences[0])

    def assert_answers(self, actual, expected):
        self.assertEqual(len(actual), len(expected))
        for row, wanted in zip(actual, expected):
            self.assertEqual(len(row), len(wanted))
            for cell, value in zip(row, wanted):
                if isinstance(value, float):
                    self.assertEqual(float(cell), value, (row, wanted))
                else:
                    self.assertEqual(cell, "" if value is None else str(value), (row, wanted))

    # ---- answers -------------------------------------------------------------------------------

    def test_AgreesWithPythonsFractionsOnGeneratedTables(self):
        for name, keys, count in (("few", 5, 3000), ("many", 2000, 6000)):
            header, rows = table(count, len(name), keys)
            path = self.file(f"{name}.csv", csv_bytes(header, rows, "\r\n" if keys == 5 else "\n"))
            for by in ([], ["few"], ["many"], ["skewed"], ["few", "y"], ["many", "few", "t"]):
                with self.subTest(by=by):
                    actual = self.rows(path, "--by", ",".join(by), "--agg", ", ".join(call(*one) for one in EVERYTHING),
                                       "--shard-bytes", "64KiB")
                    self.assert_answers(actual, oracle.answer(header, rows, by, EVERYTHING))

    def test_RoundsHalvesTowardsPlusInfinityFromTheExactValue(self):
        header, rows = table(2000, 9, 50)
        path = self.file("t.csv", csv_bytes(header, rows))
        aggregates = [("sum", "x"), ("mean", "x"), ("min", "x"), ("max", "z"), ("var", "x"), ("stddev", "x"),
                      ("stddev_pop", "y"), ("sum", "z")]
        for decimals in (0, 1, 20):
            actual = self.rows(path, "--by", "many", "--agg", ",".join(call(*one) for one in aggregates), "--decimals",
                               decimals)
            self.assert_answers(actual, oracle.answer(header, rows, ["many"], aggregates, decimals=decimals))
        path = self.file("h.csv", "x\n0.25\n-0.25\n")
        self.assertEqual(self.rows(path, "--by", "x", "--agg", "sum(x)", "--decimals", "1"), [["-0.25", "-0.2"], ["0.25", "0.3"]])

    def test_SumsDecimalsExactly(self):
        path = self.file("d.csv", "x\n0.1\n0.2\n")
        self.assertEqual(self.rows(path, "--agg", "sum(x), mean(x)"), [["0.3", "0.15"]])
        path = self.file("o.csv", "x\n" + "9223372036854775807\n" * 3)
        self.assertEqual(self.rows(path, "--agg", "sum(x), max(x)"), [["27670116110564327421", "9223372036854775807"]])

    def test_QuantilesOfFewValuesAreExact(self):
        header, rows = table(400, 3, 7)
        path = self.file("q.csv", csv_bytes(header, rows))
        aggregates = [("median", "x"), ("p90", "x"), ("median", "z"), ("p90", "z")]
        for decimals in (None, 2):
            actual = self.rows(path, "--by", "few", "--agg", ",".join(call(*one) for one in aggregates),
                               *(["--decimals", decimals] if decimals is not None else []))
            self.assert_answers(actual, oracle.answer(header, rows, ["few"], aggregates, decimals=decimals))
        path = self.file("m.csv", "x\n0.1\n0.2\n5\n-1e300\n")
        self.assertEqual(self.rows(path, "--agg", "median(x), p0(x), p100(x), quantile(x, 0.75)"),
                         [["0.15", "-1e+300", "5", "1.4"]])

    def test_GivesTheSameBytesOnAnyWorkersShardSizesAndKernels(self):
        header, rows = table(4000, 4, 900)
        path = self.file("t.csv", csv_bytes(header, rows))
        query = [path, "--by", "many,few", "--agg",
                 ",".join(call(*one) for one in EVERYTHING) + ", p90(x), approx_distinct(t), sum(x * y - 1)", "--where",
                 "y > 100 or t =~ 'h'"]
        twin = self.ask(*query, "--sequential")
        self.assertGreater(len(twin), 10_000)
        for workers in (1, 2, 5):
            for shard in ("1KiB", "50KiB", "1MiB"):
                self.assertEqual(self.ask(*query, "--workers", workers, "--shard-bytes", shard), twin)
        for kernels in ("portable", "avx2", "avx512"):
            done = self.fanfold("--format", "csv", *query, environment={"FANFOLD_KERNELS": kernels})
            if done.returncode == 2 and b"FANFOLD_KERNELS" in done.stderr:
                continue  # a machine without them
            self.assertEqual(done.stdout, twin, done.stderr)

    def test_ManyGroupsInASmallMemoryGiveTheTwinsBytes(self):
        rng = random.Random(8)
        lines = ["k,x"] + [f"{rng.randrange(60_000)},{rng.randrange(1000) / 10}" for _ in range(120_000)]
        path = self.file("m.csv", "\n".join(lines))
        query = [path, "--by", "k", "--agg", "count(), sum(x), min(x), max(x)"]
        twin = self.ask(*query, "--sequential")
        self.assertEqual(self.ask(*query, "--memory", "144MiB", "--shard-bytes", "64KiB", "--workers", "2"), twin)

    def test_StatesThatGrowStayWithinTheMemoryGiven(self):
        done = subprocess.run([PROGRAM, "--version"], capture_output=True, timeout=TIMEOUT_S)
        if b"sanitizer" in done.stdout:
            self.skipTest("a sanitizer's own memory is counted too")
        rng = random.Random(4)
        lines = ["k,t"] + [f"{rng.randrange(150_000)},{rng.randrange(10**6)}" for _ in range(300_000)]
        path = self.file("g.csv", "\n".join(lines))
        summary = self.folder / "summary.json"
        codes = []
        for aggregate in ("distinct(t)", "median(t)", "min(t), approx_distinct(t)"):
            query = [path, "--by", "k", "--agg", aggregate, "--shard-bytes", "64KiB", "--slots", "2"]
            twin = self.ask(*query, "--sequential")
            for mebibytes in (104, 160, 512):
                done = self.fanfold("--format", "csv", *query, "--memory", f"{mebibytes}MiB", "--json-summary", summary)
                told = json.loads(summary.read_text())
                self.assertLessEqual(sum(one["peak_rss_bytes"] for one in told["processes"]), mebibytes << 20, told)
                if done.returncode == 0:
                    self.assertEqual(done.stdout, twin)
                else:
                    self.assertRegex(done.stderr.decode(), r"fanfold: .*\d+ (MiB|bytes).*raise --memory")
                codes.append((mebibytes, done.returncode))
        self.assertLessEqual({code for _, code in codes}, {0, 4})
        self.assertTrue(all(code == 0 for mebibytes, code in codes if mebibytes == 512), codes)
        self.assertIn((104, 4), codes)  # the total alone is larger than the gatherer's share

    def test_AnswersTheOneBillionRowCases(self):
        if CASES is None:
            self.skipTest("the folder shared/cases is not there")
        for text in sorted((CASES / "1brc").glob("*.txt")):
            done = self.ask(text, "--no-header", "--columns", "name,t", "--delimiter", ";", "--no-quotes", "--by", "name",
                            "--agg", "min(t), mean(t), max(t)", "--decimals", "1").decode()
            rows = list(csv.reader(io.StringIO(done, newline="")))[1:]
            line = "{" + ", ".join(f"{name}={least}/{mean}/{most}" for name, least, mean, most in rows) + "}\n"
            self.assertEqual(line, text.with_suffix(".out").read_text(), text.name)

    def test_GivesTheCertifiedMeansAndDeviations(self):
        if CASES is None:
            self.skipTest("the folder shared/cases is not there")
        with open(CASES / "numeric/certified.csv", newline="") as certified:
            for case in csv.reader(certified):
                path = CASES / "numeric" / f"{case[0]}.csv"
                if not path.exists():
                    continue  # the header
                column = path.read_text().splitlines()[0]
                [[count, mean, deviation]] = self.rows(path, "--agg", f"count(), mean(`{column}`), stddev(`{column}`)")
                self.assertEqual(int(count), int(case[1]))
                self.assertEqual(float(mean), float(case[2]))
                self.assertEqual(float(deviation), float(case[3]))

    def test_WhereSelectsRowsByThreeValuedLogic(self):
        header, rows = table(3000, 5, 40)
        path = self.file("w.csv", csv_bytes(header, rows))
        x = header.index("x")
        t = header.index("t")

        def number(row):
            return oracle.number_of(row[x]).exact if row[x] else None
        for condition, where in (
                ("x > 12.5", lambda row: number(row) is not None and number(row) > oracle.Fraction("12.5")),
                ("not x > 12.5", lambda row: number(row) is not None and number(row) <= oracle.Fraction("12.5")),
                ("x >= -12.5 and few <> 'red' and 100 > y", lambda row: number(row) is not None and
                 number(row) >= oracle.Fraction("-12.5") and row[0] not in ("", "red") and int(row[4]) < 100),
                ("x is null", lambda row: number(row) is None),
                ("x is not null and t in ('a', 'b,c')", lambda row: number(row) is not None and row[t] in ("a", "b,c")),
                ("t =~ '\"hi' or few = \"blå\"", lambda row: (row[t] and '"hi' in row[t]) or row[0] == "blå"),
                ("x * 2 + y % 7 < 0", lambda row: number(row) is not None and number(row) * 2 + int(row[4]) % 7 < 0)):
            with self.subTest(condition=condition):
                aggregates = [("count", None), ("sum", "y")]
                self.assert_answers(self.rows(path, "--by", "few", "--agg", "count(), sum(y)", "--where", condition),
                                    oracle.answer(header, rows, ["few"], aggregates, where))

    def test_AggregatesTakeExpressions(self):
        path = self.file("e.csv", "price,quantity\n0.10,3\n2.5,\n1.25,4\n")
        self.assertEqual(self.rows(path, "--agg", "sum(price * quantity) as s, count(price * quantity), max(-price)"),
                         [["5.30", "2", "-0.10"]])

    def test_OrderByOrdersNumbersAsNumbersAndLimitCuts(self):
        path = self.file("o.csv", "k,n\n10,a\n9,b\nx,c\n9,b\n,d\n2,e\n")
        self.assertEqual(self.rows(path, "--by", "k"), [["10", "1"], ["2", "1"], ["9", "2"], ["x", "1"], ["", "1"]])
        self.assertEqual([row[0] for row in self.rows(path, "--by", "k", "--order-by", "k")], ["2", "9", "10", "x", ""])
        rng = random.Random(1)
        path2 = self.file("p.csv", "k\n" + "\n".join(str(int(rng.paretovariate(0.5)) % 9999) for _ in range(40_000)))
        every = self.rows(path2, "--by", "k", "--order-by", "count desc")
        self.assertEqual(self.rows(path2, "--by", "k", "--order-by", "count desc", "--limit", "17"), every[:17])
        self.assertEqual([int(row[1]) for row in every], sorted((int(row[1]) for row in every), reverse=True))
        self.assertEqual(self.rows(path, "--by", "k", "--order-by", "count desc, k desc", "--limit", "2"),
                         [["9", "2"], ["x", "1"]])
        self.assertEqual([row[0] for row in self.rows(path, "--by", "k", "--agg", "min(n) as m", "--order-by", "m desc")],
                         ["2", "", "x", "9", "10"])
        self.assertEqual([row[0] for row in self.rows(path, "--by", "k", "--order-by", "k desc")], ["x", "10", "9", "2", ""])

    # ---- reading -------------------------------------------------------------------------------

    def test_FilesWithColumnsInAnotherOrderAreMatchedByTheirHeader(self):
        one = self.file("one.csv", "k,x,extra\na,1,q\nb,2,q\n")
        two = self.file("two.csv", b"\xef\xbb\xbfx,k\n10,a\n20,c\n")
        packed = self.folder / "three.csv.gz"
        packed.write_bytes(gzip.compress(b"\xef\xbb\xbf\"k\",x\n\"a\",100\n"))
        self.assertEqual(self.rows(one, two, packed.name, "--by", "k", "--agg", "sum(x)"),
                         [["a", "111"], ["b", "2"], ["c", "20"]])

    def test_HeadersThatCannotBeUsedAreNamedWithTheirFile(self):
        good = self.file("good.csv", "k,x\na,1\n")
        self.refused(3, good, self.file("bad.csv", "k,y\na,1\n"), "--agg", "sum(x)", says=['"bad.csv" has no column x', "k, y"])
        self.refused(3, self.file("twice.csv", "k,x,x\na,1,2\n"), "--agg", "sum(x)", says=["twice.csv", "x twice"])
        self.assertEqual(self.rows("twice.csv", "--by", "k"), [["a", "1"]])
        self.refused(3, self.file("blank.csv", "\nk,x\na,1\n"), "--by", "k", says=["blank.csv", "blank line"])
        self.refused(3, self.file("open.csv", "k,\"x\na,1\n"), "--by", "k", says=["open.csv", "not closed"])
        self.refused(3, "range:0..10", says=["ranges"])

    def test_EmptyFilesAndHeadersAloneGiveNoRows(self):
        empty = self.file("empty.csv", "")
        header = self.file("header.csv", "k,x")
        for arguments in ([empty], [header], [empty, header], [header, "--sequential"]):
            self.assertEqual(self.ask(*arguments, "--by", "k"), b"k,count\n")
            self.assertEqual(self.ask(*arguments, "--agg", "count(), sum(x)"), b"count,sum(x)\n0,\n")

    def test_AMarkOfUtf8AloneIsAnEmptyFile(self):
        mark = self.file("mark.csv", b"\xef\xbb\xbf")
        self.assertEqual(self.ask(mark, "--by", "k"), b"k,count\n")

    def test_LinesThatEndWithCrAloneAreASentence(self):
        self.refused(3, self.file("mac.csv", "k,x\ra,1\rb,2\r"), "--by", "k", says=["mac.csv", "CR alone", "tr"])

    def test_ABadRecordInACompressedFileIsNamedWithItsLine(self):
        packed = self.folder / "v.csv.gz"
        packed.write_bytes(gzip.compress(b"k,x\n" + b"a,1\n" * 5000 + b"b,two\n"))
        self.refused(4, packed.name, "--agg", "sum(x)", says=["v.csv.gz", "line 5002", '"two" is no number'])

    def test_ColumnNamesOfAnyBytesStandInBackquotes(self):
        path = self.file("n.csv", 'a b,f(x),"c,d",`e,\n1,2,3,4,5\n')
        self.assertEqual(self.ask(path, "--by", "`a b`,`c,d`", "--agg", "sum(`f(x)`), max(```e`) as `m, n`", "--where", "`f(x)` = 2"),
                         b'a b,"c,d",sum(`f(x)`),"m, n"\n1,3,2,4\n')

    def test_DelimitersQuotesAndLineEndsOfAllKinds(self):
        self.assertEqual(self.rows(self.file("s.csv", "k;x\r\na;1\r\n\r\n\"b;\";2"), "--delimiter", ";", "--by", "k", "--agg", "sum(x)"),
                         [["a", "1"], ["b;", "2"]])
        self.assertEqual(self.rows(self.file("t.tsv", "k\tx\n\"a\"\t1\n"), "--input", "tsv", "--by", "k", "--no-quotes"), [['"a"', "1"]])
        self.assertEqual(self.rows("t.tsv", "--delimiter", "tab", "--by", "k"), [["a", "1"]])
        self.assertEqual(self.rows(self.file("p.csv", "a|1\nb|2\n"), "--delimiter", "|", "--no-header", "--columns", "k,`the x`",
                                   "--agg", "sum(`the x`)"), [["3"]])

    def test_QuotedLineEndsMakeAFileOneShard(self):
        rng = random.Random(2)
        rows = [[f"k{rng.randrange(9)}\nline", str(rng.randrange(100)), "t\r\n" * rng.randrange(3)] for _ in range(20_000)]
        path = self.file("q.csv", csv_bytes(["a\nb", "x", "t"], rows))
        aggregates = [("count", None), ("sum", "x"), ("distinct", "t")]
        summary = self.folder / "summary.json"
        actual = self.rows(path, "--quoted-newlines", "--by", "`a\nb`", "--agg", "count(), sum(x), distinct(t)",
                           "--shard-bytes", "10KiB", "--json-summary", summary)
        self.assert_answers(actual, oracle.answer(["a\nb", "x", "t"], rows, ["a\nb"], aggregates))
        told = json.loads(summary.read_text())
        self.assertEqual(told["shards"], 1)
        self.assertEqual(len(told["notes"]), 1)
        self.refused(4, self.file("u.csv", 'k,x\na,1\nb,"2\n3"\n'), "--by", "k", "--agg", "count(x)",
                     says=["u.csv", "line 3", "--quoted-newlines"])

    def test_CommentsAndBlankLinesArePassedOver(self):
        path = self.file("c.csv", "# a, \"comment\n\nk,x\n# more\na,1\n\n#\nb,2\n")
        self.assertEqual(self.rows(path, "--comment", "#", "--by", "k", "--agg", "sum(x)"), [["a", "1"], ["b", "2"]])

    def test_RaggedRowsAreErrorsOrPadded(self):
        path = self.file("r.csv", "k,x,y\na,1,2\nb\nc,3,4,5\n")
        self.refused(4, path, "--by", "k", says=["r.csv", "line 3", "1 field", "3 columns", "--ragged pad"])
        self.assertEqual(self.rows(path, "--ragged", "pad", "--by", "k", "--agg", "count(), count(x), sum(y)"),
                         [["a", "1", "1", "2"], ["b", "1", "0", ""], ["c", "1", "1", "4"]])
        self.assertEqual(self.rows(path, "--ragged", "pad", "--null", "NA", "--by", "x", "--agg", "count(y)"),
                         [["1", "1"], ["3", "1"], ["", "0"]])
        self.assertEqual(self.rows(path, "--on-error", "skip", "--by", "k"), [["a", "1"]])

    def test_NullIsTheEmptyTextOrTheOneGiven(self):
        path = self.file("n.csv", "k,x\na,1\nb,\n,NA\nNA,3\n")
        self.assertEqual(self.rows(path, "--by", "k", "--agg", "count(x)"), [["NA", "1"], ["a", "1"], ["b", "0"], ["", "1"]])
        self.assertEqual(self.rows(path, "--null", "NA", "--by", "k", "--agg", "count(x), min(x)"),
                         [["", "0", ""], ["a", "1", "1"], ["b", "1", ""], ["", "1", "3"]])

    def test_AValueThatDoesNotParseEndsTheRunOrCostsItsRecordOrIsNull(self):
        path = self.file("v.csv", "k,x,y\na,1,1\na,two,2\nb,3,3\n")
        self.refused(4, path, "--agg", "sum(x)", says=["v.csv", "line 3", "column x", '"two" is no number'])
        self.refused(4, path, "--agg", "sum(y)", "--where", "x + 1 > 0", says=["v.csv", "line 3", "column x"])
        query = [path, "--by", "k", "--agg", "count(), count(x), sum(x), max(x), sum(y)"]
        self.assertEqual(self.rows(*query, "--on-error", "skip"), [["a", "1", "1", "1", "1", "1"], ["b", "1", "1", "3", "3", "3"]])
        self.assertEqual(self.rows(*query, "--on-error", "null"), [["a", "2", "1", "1", "1", "3"], ["b", "1", "1", "3", "3", "3"]])
        for policy in ("skip", "null"):
            summary = self.folder / "summary.json"
            self.ask(*query, "--on-error", policy, "--json-summary", summary)
            told = json.loads(summary.read_text())
            self.assertEqual((told["records"], told["skipped"]), (3, 1))
        self.assertEqual(self.rows(path, "--agg", "min(x), max(x), count(x)"), [["1", "two", "3"]])

    def test_JsonLinesAreReadByTheirPaths(self):
        rng = random.Random(6)
        objects = []
        for number in range(5000):
            made = {"user": {"name": rng.choice(["ann", "b\"ob", "é世", None, ""]), "tags": [1, "two"]},
                    "ms": rng.choice([1, 2.50, -3e2, None]), "ok": rng.random() < 0.5, "n": number}
            if rng.random() < 0.1:
                del made["ms"]
            objects.append(made)
        lines = [json.dumps(made, ensure_ascii=rng.random() < 0.5, separators=rng.choice([(",", ":"), (" , ", " : ")]))
                 for made in objects]
        path = self.file("e.jsonl", "\ufeff" + "\r\n".join(lines) + "\n\n")
        text = {True: "true", False: "false"}
        rows = [[made["user"]["name"] or "", json.dumps(made["ms"]) if made.get("ms") is not None else "", text[made["ok"]],
                 str(made["n"])] for made in objects]
        header = ["user.name", "ms", "ok", "n"]
        aggregates = [("count", None), ("sum", "ms"), ("max", "n"), ("min", "ms"), ("distinct", "ok")]
        for shard in ("1KiB", "1MiB"):
            self.assert_answers(self.rows(path, "--input", "jsonl", "--by", "user.name,ok", "--agg",
                                          ",".join(call(*one) for one in aggregates), "--shard-bytes", shard),
                                oracle.answer(header, rows, ["user.name", "ok"], aggregates))
        path = self.file("m.jsonl", '{"a": {"b": [1, {"c": 2}], "d": 1e400}, "a.d": null}\n{"a": "text"}\n')
        self.assertEqual(self.rows(path, "--input", "jsonl", "--by", "a, a.b, a.d"),
                         [["text", "", "", "1"], ['{"b": [1, {"c": 2}], "d": 1e400}', '[1, {"c": 2}]', "", "1"]])
        path = self.file("deep.jsonl", '{"a":' * 100 + "7" + "}" * 100)
        self.assertEqual(self.rows(path, "--input", "jsonl", "--agg", f"sum({'.'.join(['a'] * 100)}) as s"), [["7"]])
        for bad in ('{"a": 1', "[1]", "17", '{"a": 1} {', '{"a": nul}', '{"a": 01}', '{"a": 1.}', '{"a": -}', '{"a": 1e}', '{"a": "\x80"}', '{"a" 1}'):
            path = self.folder / "b.jsonl"
            path.write_bytes(b'{"a": 1}\n' + bad.encode("latin-1") + b"\n")
            self.refused(4, path, "--input", "jsonl", "--by", "a", says=["b.jsonl", "line 2", "no JSON object"])
            self.assertEqual(self.rows(path, "--input", "jsonl", "--on-error", "skip", "--by", "a"), [["1", "1"]])

    # ---- errors --------------------------------------------------------------------------------

    def test_BrokenQueriesAreRefusedWithTheirPlace(self):
        path = self.file("a.csv", "k,x\na,1\n")
        for arguments, says in (
                (["--agg", "count(), foo(x)"], ["--agg", "character 10", "no aggregate foo"]),
                (["--where", "x > > 1"], ["--where", "character 5"]),
                (["--by", "k,"], ["--by", "character 3"]),
                (["--order-by", "y"], ["--order-by", "character 1", "there are count"]),
                (["--delimiter", "::"], ["--delimiter"]),
                (["--delimiter", '"'], ["--delimiter"]),
                (["--columns", "a"], ["--no-header"]),
                (["--no-header"], ["--columns"]),
                (["--no-header", "--columns", "a,b", "--by", "c"], ["no column c"]),
                (["--no-header", "--columns", "a,a", "--by", "a"], ["a twice"]),
                (["--quoted-newlines", "--no-quotes"], ["contradict"]),
                (["--input", "jsonl", "--delimiter", ";"], ["--delimiter", "jsonl"]),
                (["--input", "jsonl", "--ragged", "pad"], ["--ragged", "jsonl"]),
                (["--decimals", "2000"], ["--decimals"]),
                (["--on-error", "ignore"], ["--on-error"]),
                (["--agg", ",".join(f"var(x + {n})" for n in range(40))], ["bytes for each group"])):
            with self.subTest(arguments=arguments):
                self.refused(2, path, *arguments, says=says)


if __name__ == "__main__":
    wanted = sys.argv[3] if len(sys.argv) > 3 else None
    names = [f"test_{wanted}"] if wanted else unittest.TestLoader().getTestCaseNames(Stats)
    suite = unittest.TestSuite(Stats(name) for name in names)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if result.skipped and len(result.skipped) == result.testsRun:
        sys.exit(77)
    sys.exit(0 if result.wasSuccessful() else 1)
