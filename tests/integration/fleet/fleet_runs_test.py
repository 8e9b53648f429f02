#!/usr/bin/env python3
"""Runs on a fleet that is well: the twin's bytes, several at once, workers that come and go, results that are kept."""
import urllib.request

from fleet_harness import *


class FleetRuns(FleetTest):
    def test_ARunOnThreeWorkersGivesTheTwinsBytes(self):
        path = self.file("text", large_text())
        self.start_fleet(3)
        twin = self.twin("wordcount", path, "--format", "csv")
        for shard in ("16KiB", "1MiB"):
            self.assertTrue(self.done_at_root("run", "wordcount", path, "--format", "csv", "--shard-bytes", shard) == twin)
        summary = self.folder / "summary.json"
        self.done_at_root("run", "wordcount", path, "--top", 3, "--json-summary", summary)
        told = json.loads(summary.read_text())
        self.assertEqual((told["coverage"], told["job"]), (1, "wordcount"))
        self.assertEqual({process["role"] for process in told["processes"]}, {"client", "gatherer", "worker"})
        self.stop_fleet()

    def test_AListOfInputsAndARowThatAreLargerThanAnyFramePassTheRoot(self):
        path = self.file("a-folder-with-a-long-name/" * 4 + "text", b"a b a\n")
        inputs = self.file("list", f"{path}\n".encode() * 50_000)
        self.assertGreater(os.stat(inputs).st_size, 5 << 20)
        self.start_fleet(2)
        self.assertEqual(self.done_at_root("run", "wordcount", "--files-from", inputs, "--format", "csv"),
                         b"word,count\na,100000\nb,50000\n")
        wide = self.file("wide", b"a" * (6 << 20) + b" b b")
        self.assertTrue(self.done_at_root("run", "wordcount", wide, "--format", "csv") ==
                        self.twin("wordcount", wide, "--format", "csv"))
        self.stop_fleet()

    def test_SeveralRunsAtOnceShareTheFleetAndGiveTheTwinsBytes(self):
        paths = [self.file(f"text{number}", some_text(200_000, 5000, seed=number)) for number in range(4)]
        self.start_fleet(3)
        runs = [self.start_at_root("run", "wordcount", path, "--format", "csv", "--shard-bytes", "16KiB") for path in paths]
        for run, path in zip(runs, paths):
            out, error = run.communicate(timeout=TIMEOUT_S)
            self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
            self.assertTrue(out == self.twin("wordcount", path, "--format", "csv"))
        self.stop_fleet()

    def test_TwoRunsThatOverlapBothMakeProgressOnOneSlot(self):
        self.start_fleet(1, 1)
        first = self.submit(*self.slow(400))
        second = self.submit(*self.slow(400))
        self.wait_until(lambda: min(self.runs()[run]["shards_folded"] + self.runs()[run]["slots"] for run in (first, second)) >= 0
                        and all(run["stage"] == "running" for run in self.runs().values()), "both run")
        had = set()
        self.wait_until(lambda: had.update(run for run, told in self.runs().items() if told["slots"] > 0) or had == {first, second},
                        "each has had the slot")
        for run in (first, second):
            self.done_at_root("cancel", run)
        self.stop_fleet()

    def test_AWorkerThatJoinsInMidRunTakesPart(self):
        self.start_root()
        self.workers = [self.start_worker("first", 1)]
        arguments = self.slow(100)
        run = self.start_at_root("run", *arguments, "--format", "csv")
        self.wait_until(lambda: self.nodes()["first"]["slots_used"] > 0, "the run runs")
        self.workers.append(self.start_worker("second", 2))
        self.wait_until(lambda: self.nodes()["second"]["slots_used"] > 0, "it maps too")
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
        self.assertEqual(out, self.twin(*self.slow(100, 0), "--format", "csv"))
        self.stop_fleet()

    def test_SigtermDrainsAWorkerInMidRunAndNothingIsDoneAgain(self):
        self.start_fleet(2, 1)
        summary = self.folder / "summary.json"
        run = self.start_at_root("run", *self.slow(100), "--format", "csv", "--json-summary", summary)
        self.wait_until(lambda: all(node["slots_used"] > 0 for node in self.nodes().values()), "both map")
        self.workers[0].send_signal(signal.SIGTERM)
        self.assertEqual(self.workers[0].wait(timeout=30), 0, "".join(self.workers[0].said))
        self.assertIsNone(run.poll(), "the run goes on without it")
        self.assertEqual(list(self.nodes()), ["w1"])
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
        self.assertEqual(out, self.twin(*self.slow(100, 0), "--format", "csv"))
        self.assertEqual(json.loads(summary.read_text())["retries"], 0)
        self.stop_fleet()

    def test_ASubmittedRunGoesOnAloneAndItsResultIsFetchedOftenAndLate(self):
        path = self.file("text", some_text(20_000, 500))
        self.start_fleet(2)
        run = self.submit("wordcount", path, "--shard-bytes", "4KiB")
        self.wait_for_stage(run, "done")
        twin = self.twin("wordcount", path, "--format", "csv")
        for _ in range(2):
            self.assertEqual(self.done_at_root("result", run, "--format", "csv"), twin)
        out = self.folder / "out.csv"
        self.done_at_root("result", run, "--format", "csv", "--output", out)
        self.assertEqual(out.read_bytes(), twin)
        # It is waited for where it still runs.
        slow = self.submit(*self.slow(20))
        self.assertEqual(self.done_at_root("result", slow, "--format", "csv"), self.twin(*self.slow(20, 0), "--format", "csv"))
        self.stop_fleet()

    def test_ARunIsTakenOnceHoweverOftenItIsSubmitted(self):
        path = self.file("text", some_text(2_000, 50))
        other = self.file("other", some_text(2_000, 50, seed=2))
        self.start_fleet(1)
        run = "0123456789abcdef" * 2
        for _ in range(2):
            self.assertEqual(self.submit("wordcount", path, "--run-id", run), run)
        self.assertEqual(list(self.runs()), [run])
        self.assertEqual(self.done_at_root("run", "wordcount", path, "--run-id", run, "--format", "csv"),
                         self.twin("wordcount", path, "--format", "csv"))
        for different in (["wordcount", other], ["wordcount", path, "--top", 3]):
            refused = self.at_root("submit", *different, "--run-id", run)
            self.assertEqual(refused.returncode, 2)
            self.assertIn(run, self.one_sentence(refused.stderr))
        self.stop_fleet()

    def test_AResultExpiresAndItsIdIsRemembered(self):
        path = self.file("text", some_text(2_000, 50))
        self.start_fleet(1, 2, "--result-ttl", "500ms")
        run = self.submit("wordcount", path)
        self.wait_until(lambda: run not in self.runs(), "it has expired")
        for arguments in (["result", run], ["submit", "wordcount", path, "--run-id", run]):
            refused = self.at_root(*arguments)
            self.assertEqual(refused.returncode, 2)
            self.assertIn("expired", self.one_sentence(refused.stderr))
        self.stop_fleet()

    def test_CancelEndsARunForEverybodyWhoWatches(self):
        self.start_fleet(1)
        run = self.submit(*self.slow(1000))
        watching = self.start_at_root("result", run)
        self.wait_for_stage(run, "running")
        self.assertIn(b"cancelled", self.done_at_root("cancel", run))
        out, error = watching.communicate(timeout=TIMEOUT_S)
        self.assertEqual((watching.returncode, out), (130, b""), error.decode(errors="replace"))
        self.assertIn("cancelled", self.one_sentence(error))
        self.wait_until(lambda: self.children_of(self.workers[0].pid, "internal-worker") == [], "its worker is gone")
        self.stop_fleet()

    def test_MoreRunsThanGatherPortsWait(self):
        import socket
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.start_fleet(1, 2, "--gather-ports", f"{port}-{port}")
        first = self.submit(*self.slow(1000))
        second = self.submit(*self.slow(3))
        self.wait_for_stage(first, "running")
        self.assertEqual(self.runs()[second]["stage"], "queued")
        self.done_at_root("cancel", first)
        self.assertEqual(self.done_at_root("result", second, "--format", "csv"), self.twin(*self.slow(3, 0), "--format", "csv"))
        self.stop_fleet()

    def test_PathsAreMappedWhereAWorkerMountsThemElsewhere(self):
        text = some_text(5_000, 100)
        self.file("there/text", text)
        path = self.file("here/text", text)
        stamp = os.stat(path)
        os.utime(self.folder / "there" / "text", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        self.start_root()
        self.workers = [self.start_worker("w", 2, "--path-map", f"{self.folder}/here={self.folder}/there")]
        twin = self.twin("wordcount", path, "--format", "csv")
        run_id = self.submit("wordcount", path)
        self.assertEqual(self.done_at_root("result", run_id, "--format", "csv"), twin)
        self.stop_fleet()

    def test_RootAndWorkerServeHealthReadinessAndMetrics(self):
        def http(process):
            return self.says(process, "/healthz").split("http://")[1].strip()

        def get(address, path):
            with urllib.request.urlopen(f"http://{address}/{path}", timeout=TIMEOUT_S) as answer:
                return answer.read().decode()
        self.start_root("--http", "127.0.0.1:0")
        self.workers = [self.start_worker("w", 2, "--http", "127.0.0.1:0")]
        at_root, at_worker = http(self.root), http(self.workers[0])
        self.done_at_root("run", "wordcount", self.file("text", b"a b a\n"))
        for address in (at_root, at_worker):
            self.wait_until(lambda: self.fanfold("health", "--http", address).returncode == 0, "it is ready")
            self.assertEqual(get(address, "healthz"), "ok\n")
        self.wait_until(lambda: 'fanfold_runs_ended_total{outcome="done"} 1\n' in get(at_root, "metrics"), "it counts")
        self.assertIn("fanfold_workers 1\n", get(at_root, "metrics"))
        self.assertIn("fanfold_records_read_total 3\n", get(at_root, "metrics"))
        self.assertIn("fanfold_worker_joined 1\n", get(at_worker, "metrics"))
        self.stop_fleet()
        self.refused(5, "health", "--http", at_root, says=[at_root])

    def test_TheConfigurationFileTellsRootWorkersAndClientsTheirFlags(self):
        self.file("root.toml", f'listen = "tcp://127.0.0.1:0"\nplugin-path = "{TEST_JOBS}"\nruns-max = 3\n'.encode())
        self.root = self.reading(self.start("root", "--config", "root.toml"))
        self.url = self.says(self.root, "the root listens at ").split("listens at ")[1].split(",")[0].strip()
        self.file("config/fanfold/config.toml", f'root = "{self.url}"\nslots = 1\nname = "configured"\n'.encode())
        self.workers = [self.reading(self.start("worker"))]
        self.says(self.workers[0], "has joined")
        told = json.loads(self.done("workers", "--json").stdout)["workers"]
        self.assertEqual([(node["name"], node["slots"]) for node in told], [("configured", 1)])
        self.assertEqual(self.done("run", "wordcount", self.file("text", b"a b a\n"), "--format", "csv").stdout,
                         b"word,count\na,2\nb,1\n")
        self.stop_fleet()
        self.refused(2, "ps", "--config", self.file("other.toml", b"quite = true\n"), says=["line 1", '"quite"'])


main(FleetRuns)
