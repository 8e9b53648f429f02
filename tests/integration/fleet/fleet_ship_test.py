#!/usr/bin/env python3
"""Files that only the client has, sent to the root with --ship. Workers could not open them: what the client calls by
the path of this test's folder is, for them, in a folder that does not exist."""
import gzip
import resource
import urllib.request

from fleet_harness import *

MEBI = 1 << 20
# What a root may use for shipping: docs/fleet.md.
SHIP_MEMORY_BYTES = 48 * MEBI


class FleetShip(FleetTest):
    def start_blind_fleet(self, workers=3, slots=2, *root_flags):
        self.start_root(*root_flags)
        self.workers = [self.start_worker(f"w{number}", slots, "--path-map", f"{self.folder}={self.folder}/nowhere")
                        for number in range(workers)]

    def shipped(self, *arguments, **options):
        done = self.at_root("run", *arguments, "--ship", **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def disk_of_root(self):
        """What the root holds on disk in files without a name."""
        held = 0
        for entry in pathlib.Path(f"/proc/{self.root.pid}/fd").iterdir():
            try:
                if os.readlink(entry).startswith(f"{self.tmp}/"):
                    held += os.stat(entry).st_size
            except OSError:
                continue
        return held

    def test_ShippedFilesGiveTheTwinsBytesWhereWorkersCouldNotOpenThem(self):
        self.start_blind_fleet()
        path = self.file("text", large_text())
        refused = self.at_root("run", "wordcount", path)
        self.assertEqual(refused.returncode, 3, refused.stderr)
        self.assertIn("--ship", self.one_sentence(refused.stderr))
        twin = self.twin("wordcount", path, "--format", "csv")
        for shard in ("4KiB", "100KiB", "1MiB", "64MiB"):
            self.assertTrue(self.shipped("wordcount", path, "--format", "csv", "--shard-bytes", shard) == twin, shard)
        self.wait_until(lambda: self.disk_of_root() < os.stat(path).st_size, "only results are kept")
        self.stop_fleet()

    def test_ManySmallEmptyAndRepeatedFilesAreShippedInTheOrderNamed(self):
        self.start_blind_fleet(2)
        rng = random.Random(5)
        for number in range(300):
            self.file(f"many/{number:03}", b"" if number % 7 == 0 else some_text(rng.randrange(1, 400), 50, seed=number))
        large = self.file("large", some_text(200_000, 900))
        arguments = ["wordcount", self.folder / "many", large, large, self.folder / "many" / "001", "--format", "csv"]
        self.assertTrue(self.shipped(*arguments) == self.twin(*arguments))
        empty = self.file("empty", b"")
        self.assertEqual(self.shipped("wordcount", empty, "--format", "csv"), b"word,count\n")
        numbers = [TEST_JOBS / "libnumbers.so", "range:0..1000", "--modulus", 7, "--format", "csv"]
        self.assertEqual(self.shipped(*numbers), self.twin(*numbers))
        self.stop_fleet()

    def test_CompressedFilesHeadersQuotesAndJsonAreReadAsAnyOther(self):
        self.start_blind_fleet(2)
        rows = [f'"name {number % 50}, or ""so""\nmore",{number / 7:.3f},{number}\n' for number in range(60_000)]
        quoted = "name,value,number\n" + "".join(rows)
        plain = "name,value,number\n" + "".join(f"n{number % 50},{number / 7:.3f},{number}\n" for number in range(200_000))
        jsonl = "".join(json.dumps({"name": f"n{number % 50}", "value": number / 8}) + "\n" for number in range(100_000))
        cases = [
            (["stats", self.file("plain.csv", plain.encode()), "--shard-bytes", "64KiB"], ["count()", "sum(value)"]),
            (["stats", self.file("plain.csv.gz", gzip.compress(plain.encode())),
              self.file("plain.csv", plain.encode())], ["count()", "sum(value)", "max(number)"]),
            (["stats", self.file("quoted.csv", quoted.encode()), "--quoted-newlines"], ["count()", "sum(value)"]),
            (["stats", self.file("lines.jsonl", jsonl.encode()), "--input", "jsonl", "--shard-bytes", "64KiB"],
             ["count()", "sum(value)"]),
        ]
        zst = self.folder / "plain.csv.zst"
        if shutil.which("zstd"):
            subprocess.run(["zstd", "-q", self.folder / "plain.csv", "-o", zst], check=True)
            cases.append((["stats", zst], ["count()", "sum(value)"]))
        for words, columns in cases:
            arguments = self.stats_arguments(words, columns)
            self.assertTrue(self.shipped(*arguments) == self.twin(*arguments), words)
        self.stop_fleet()

    def stats_arguments(self, words, columns):
        return [*words, "--by", "name", "--agg", ",".join(columns), "--format", "csv"]

    def test_StandardInputAndPipesAreShipped(self):
        self.start_blind_fleet(2)
        text = large_text()
        path = self.file("text", text)
        twin = self.twin("wordcount", path, "--format", "csv")
        self.assertTrue(self.shipped("wordcount", "-", "--format", "csv", stdin=text) == twin)
        self.assertTrue(self.shipped("wordcount", "-", "--format", "csv", stdin=gzip.compress(text)) == twin)
        pipe = self.folder / "pipe"
        os.mkfifo(pipe)
        run = self.start_at_root("run", "wordcount", pipe, "--ship", "--format", "csv")
        with open(pipe, "wb") as writing:
            writing.write(text)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error)
        self.assertTrue(out == twin)
        self.stop_fleet()

    def test_SubmittedRunsShipTooAndGoOnAlone(self):
        self.start_blind_fleet(2)
        path = self.file("text", large_text())
        twin = self.twin("wordcount", path, "--format", "csv")
        run = self.submit("wordcount", path, "--ship")
        os.remove(path)
        self.wait_for_stage(run, "done")
        self.assertTrue(self.done_at_root("result", run, "--format", "csv") == twin)
        self.stop_fleet()

    def test_ABadRecordOfAShippedFileIsNamedByItsLine(self):
        self.start_blind_fleet(1)
        lines = [b"1" for _ in range(50_000)]
        lines[31_415] = b"no number"
        path = self.file("numbers.csv", b"value\n" + b"\n".join(lines) + b"\n")
        failed = self.at_root("run", "stats", path, "--agg", "sum(value)", "--ship", "--shard-bytes", "16KiB")
        twin = self.fanfold("run", "stats", path, "--agg", "sum(value)", "--sequential")
        self.assertEqual((failed.returncode, twin.returncode), (4, 4), failed.stderr + twin.stderr)
        self.assertIn("31417", self.one_sentence(failed.stderr).replace(",", ""))
        self.stop_fleet()

    def test_AKilledWorkerCostsARunOfShippedFilesNothingButTime(self):
        self.start_blind_fleet(2)
        path = self.file("text", large_text())
        arguments = ["wordcount", path, "--format", "csv", "--shard-bytes", "4KiB"]
        twin = self.twin(*arguments)
        summary = self.folder / "summary.json"
        run = self.start_at_root("run", *arguments, "--ship", "--json-summary", summary)
        self.wait_until(lambda: any(told["stage"] == "running" for told in self.runs().values()), "the run runs")
        for executor in self.wait_for_role("internal-worker", 2):
            try:
                os.kill(executor, signal.SIGKILL)
            except ProcessLookupError:
                pass
            break
        self.workers.pop().kill()
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error)
        self.assertTrue(out == twin)
        self.stop_fleet()

    def slow_client(self, *arguments):
        """A client that ships a pipe's worth of bytes and then a large file, stopped in the midst of it."""
        run = self.start_at_root(*arguments)
        self.wait_until(lambda: self.disk_of_root() > 0, "something of it has come")
        run.send_signal(signal.SIGSTOP)
        return run

    def large_file(self, name, mebibytes):
        path = self.folder / name
        block = some_text(170_000, 3000)[:MEBI - 1] + b"\n"
        with open(path, "wb") as file:
            for _ in range(mebibytes):
                file.write(block)
        return path

    def test_AClientThatIsKilledWhileItShipsLeavesNothingAtTheRoot(self):
        self.start_blind_fleet(1)
        path = self.large_file("large", 400)
        for command in ("run", "submit"):
            run = self.slow_client(command, "wordcount", path, "--ship")
            (run_id, told), = [(one, told) for one, told in self.runs().items() if told["stage"] != "failed"]
            self.assertEqual(told["stage"], "receiving")
            run.kill()
            run.wait()
            self.wait_for_stage(run_id, "failed")
            self.assertIn("its client is gone", self.runs()[run_id]["sentence"])
            self.wait_until(lambda: self.disk_of_root() == 0, "the disk's space is given back")
        self.stop_fleet()

    def test_AClientThatWasNotHeardForAWhileGoesOnWhereItWas(self):
        self.start_blind_fleet(1, 2, "--http", "127.0.0.1:0")
        metrics = self.says(self.root, "/healthz").split("http://")[1].strip()
        path = self.large_file("large", 400)
        run = self.slow_client("run", "wordcount", path, "--ship", "--format", "csv")
        had = self.disk_of_root()

        def lost():
            with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=TIMEOUT_S) as answer:
                return b"fanfold_clients 0\n" in answer.read()
        self.wait_until(lost, "the client is given up")
        self.assertGreaterEqual(self.disk_of_root(), had, "what it has sent is kept")
        run.send_signal(signal.SIGCONT)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error)
        self.assertTrue(out == self.twin("wordcount", path, "--format", "csv"))
        self.stop_fleet()

    def test_CtrlCEndsAShipmentAtOnce(self):
        self.start_blind_fleet(1)
        path = self.large_file("large", 400)
        for command in ("run", "submit"):
            run = self.slow_client(command, "wordcount", path, "--ship")
            run.send_signal(signal.SIGINT)
            run.send_signal(signal.SIGCONT)
            out, error = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual((run.returncode, out), (130, b""), error)
            self.wait_until(lambda: self.disk_of_root() == 0, "the disk's space is given back")
        self.assertEqual({told["stage"] for told in self.runs().values()}, {"failed"})
        self.stop_fleet()

    def test_AFileThatChangesWhileItIsShippedEndsTheRun(self):
        self.start_blind_fleet(1)
        path = self.large_file("large", 400)
        run = self.slow_client("run", "wordcount", path, "--ship")
        with open(path, "ab") as file:
            file.write(b"more\n")
        run.send_signal(signal.SIGCONT)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual((run.returncode, out), (3, b""), error)
        self.assertIn("grew after planning", self.one_sentence(error))
        self.wait_until(lambda: self.disk_of_root() == 0, "the disk's space is given back")
        run = self.slow_client("run", "wordcount", path, "--ship")
        os.truncate(path, 1000)
        run.send_signal(signal.SIGCONT)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual((run.returncode, out), (3, b""), error)
        self.assertIn("shrank after planning", self.one_sentence(error))
        self.stop_fleet()

    def test_MoreThanTheRootTakesIsRefusedWithTheNumbers(self):
        self.start_blind_fleet(1, 2, "--ship-bytes-max", "1MB")
        path = self.file("text", b"a " * 500_000)
        self.assertEqual(self.shipped("wordcount", path, "--format", "csv"), b"word,count\na,500000\n")
        for command in ("run", "submit"):
            refused = self.at_root(command, "wordcount", path, self.file("more", b"b"), "--ship")
            self.assertEqual((refused.returncode, refused.stdout), (3, b""), refused.stderr)
            for words in ("1000001 bytes", "1000000", "--ship-bytes-max"):
                self.assertIn(words, self.one_sentence(refused.stderr))
        self.stop_fleet()

    def test_ARootThatTakesNothingSaysSoAndShippingNeedsARoot(self):
        path = self.file("text", b"a b a\n")
        self.refused(2, "run", "wordcount", path, "--ship", says=["--ship", "--root"])
        self.assertEqual(self.count(path, environment={"FANFOLD_SHIP": "1"}), b"word,count\na,2\nb,1\n")
        self.start_blind_fleet(1, 2, "--ship-bytes-max", 0)
        refused = self.at_root("run", "wordcount", path, "--ship")
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn("takes no shipped files", self.one_sentence(refused.stderr))
        self.stop_fleet()

    def test_AFullDiskAtTheRootEndsTheRunWithASentence(self):
        """A file may be no larger than the limit of the root's process: the disk is full there."""
        path = self.large_file("large", 20)
        self.start_root(preexec_fn=lambda: (signal.signal(signal.SIGXFSZ, signal.SIG_IGN),
                                            resource.setrlimit(resource.RLIMIT_FSIZE, (5 * MEBI, 5 * MEBI))))
        self.workers = [self.start_worker("w", 1)]
        for command in ("run", "submit"):
            failed = self.at_root(command, "wordcount", path, "--ship")
            self.assertEqual((failed.returncode, failed.stdout), (3, b""), failed.stderr)
            for words in (f"keep more than {5 * MEBI} bytes", "--results"):
                self.assertIn(words, self.one_sentence(failed.stderr))
        self.stop_fleet()

    def test_ARevokedClientShipsNothingMore(self):
        keys = self.folder / "keys"
        for arguments in (("root",), ("worker", "w0"), ("client", "ann"), ("client", "bob")):
            self.done("keygen", *arguments, "--keys", keys)
        self.environment["FANFOLD_KEYS"] = str(keys)
        self.environment["FANFOLD_KEY_NAME"] = "bob"
        self.start_root("--keys", keys)
        self.workers = [self.start_worker("w0", 1, "--key-name", "w0")]
        path = self.large_file("large", 400)
        run = self.slow_client("run", "wordcount", path, "--ship", "--quiet", "--key-name", "ann")
        (keys / "ann.pub").unlink()
        run_id, = self.runs()
        self.wait_for_stage(run_id, "failed")
        run.send_signal(signal.SIGCONT)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual((run.returncode, out), (5, b""), error)
        self.assertIn('does not admit the key "ann"', self.one_sentence(error))
        self.wait_until(lambda: self.disk_of_root() == 0, "the disk's space is given back")
        self.stop_fleet()

    def test_SeveralRunsShipAtOnce(self):
        self.start_blind_fleet(2)
        paths = [self.file(f"text{number}", some_text(150_000, 5000, seed=number)) for number in range(6)]
        runs = [self.start_at_root("run", "wordcount", path, "--ship", "--format", "csv", "--shard-bytes", "16KiB")
                for path in paths]
        for run, path in zip(runs, paths):
            out, error = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
            self.assertTrue(out == self.twin("wordcount", path, "--format", "csv"))
        self.stop_fleet()

    def test_TheRootsMemoryStaysWithinItsBoundWhileMuchIsShipped(self):
        self.start_blind_fleet(2, 2)
        small = self.file("small", b"a b\n")
        self.shipped("wordcount", small, "--format", "csv")
        before = self.peak_of(self.root)
        path = self.large_file("large", 200)
        self.assertTrue(self.shipped("wordcount", path, "--format", "csv") == self.twin("wordcount", path, "--format", "csv"))
        if b"sanitizer" not in self.done("--version").stdout:  # whose own memory would be counted
            self.assertLess(self.peak_of(self.root) - before, SHIP_MEMORY_BYTES)
        self.stop_fleet()

    def peak_of(self, process):
        status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+) kB", status).group(1)) * 1024


if __name__ == "__main__":
    main(FleetShip)
