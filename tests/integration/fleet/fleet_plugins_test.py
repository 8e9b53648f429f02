#!/usr/bin/env python3
"""Jobs whose plugin only the client has, sent to root and workers with --ship-plugin where they accept it."""
from fleet_harness import *


class FleetPlugins(FleetTest):
    """Root and workers are started without the test jobs: what they load of them came from a client."""

    def setUp(self):
        super().setUp()
        self.keys = self.folder / "keys"
        for arguments in (("root",), ("worker", "w"), ("client", "ann")):
            self.done("keygen", *arguments, "--keys", self.keys)
        self.environment["FANFOLD_KEYS"] = str(self.keys)
        self.workers = []

    def start_bare_root(self, *flags):
        root = self.reading(self.start("root", "--listen", "tcp://127.0.0.1:0", *flags))
        line = self.says(root, "the root listens at ")
        self.url = line.split("listens at ")[1].split(",")[0].strip()
        self.root = root

    def start_bare_worker(self, name, *flags):
        worker = self.reading(self.start("worker", "--root", self.url, "--slots", 2, "--name", name, *flags))
        self.says(worker, "has joined")
        self.workers.append(worker)
        return worker

    def start_accepting(self, workers=2):
        self.start_bare_root("--accept-plugins", "--plugin-cache", self.folder / "root-cache")
        for number in range(workers):
            self.start_bare_worker(f"w{number}", "--accept-plugins", "--plugin-cache", self.folder / f"w{number}-cache")

    def numbers(self, shards=2000):
        return [TEST_JOBS / "libnumbers.so", f"range:0..{shards}", "--shard-items", 10, "--modulus", 7, "--format", "csv"]

    def cached(self, name):
        folder = self.folder / f"{name}-cache"
        return sorted(folder.iterdir()) if folder.exists() else []

    def test_AShippedPluginRunsWhereNobodyHasItAndGivesTheTwinsBytes(self):
        self.start_accepting()
        arguments = self.numbers()
        refused = self.at_root("run", *arguments)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertIn('has no job "numbers"', self.one_sentence(refused.stderr))
        self.assertEqual(self.done_at_root("run", *arguments, "--ship-plugin"), self.twin(*arguments))
        run = self.submit(*arguments[:-2], "--ship-plugin")
        self.assertEqual(self.done_at_root("result", run, "--format", "csv"), self.twin(*arguments))
        # What is kept is the client's file, for this user alone.
        content = (TEST_JOBS / "libnumbers.so").read_bytes()
        for name in ("root", "w0", "w1"):
            kept, = self.cached(name)
            self.assertEqual(kept.read_bytes(), content)
            self.assertEqual((kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777), (0o600, 0o700))
        self.assertTrue(all(node["accepts_plugins"] for node in self.nodes().values()))
        self.stop_fleet()

    def test_AShippedPluginIsSentOnceAndFilesMayGoWithIt(self):
        self.start_accepting(1)
        text = self.file("text", some_text(150_000, 500))
        lines = [TEST_JOBS / "liblines.so", text, "--format", "csv", "--shard-bytes", "64KiB"]
        for _ in range(2):
            self.assertEqual(self.done_at_root("run", *lines, "--ship", "--ship-plugin"), self.twin(*lines))
        kept = [self.cached(name) for name in ("root", "w0")]
        written = [file.stat().st_ino for files in kept for file in files]
        self.assertEqual(self.done_at_root("run", *lines, "--ship-plugin"), self.twin(*lines))
        self.assertEqual([file.stat().st_ino for files in kept for file in files], written)
        self.stop_fleet()

    def test_ADamagedFileInTheCacheIsNotLoadedButSentAgain(self):
        self.start_accepting(1)
        arguments = self.numbers()
        self.done_at_root("run", *arguments, "--ship-plugin")
        for name in ("root", "w0"):
            kept, = self.cached(name)
            content = bytearray(kept.read_bytes())
            content[len(content) // 2] ^= 1
            kept.write_bytes(content)
        self.assertEqual(self.done_at_root("run", *arguments, "--ship-plugin"), self.twin(*arguments))
        for name in ("root", "w0"):
            kept, = self.cached(name)
            self.assertEqual(kept.read_bytes(), (TEST_JOBS / "libnumbers.so").read_bytes())
        self.stop_fleet()

    def test_WorkersThatDoNotAcceptPluginsTakeNoPart(self):
        self.start_bare_root("--accept-plugins")
        self.start_bare_worker("strict")
        arguments = self.numbers()
        refused = self.at_root("run", *arguments, "--ship-plugin", "--no-worker-timeout", "1s")
        self.assertEqual((refused.returncode, refused.stdout), (5, b""), refused.stderr)
        for words in ('"strict"', "--accept-plugins"):
            self.assertIn(words, refused.stderr.decode())
        self.start_bare_worker("open", "--accept-plugins")
        summary = self.folder / "summary.json"
        done = self.done_at_root("run", *arguments, "--ship-plugin", "--json-summary", summary)
        self.assertEqual(done, self.twin(*arguments))
        processes = json.loads(summary.read_text())["processes"]
        self.assertEqual(sum(process["role"] == "worker" for process in processes), 1)
        # Other runs go on everywhere.
        text = self.file("text", large_text())
        words = ["wordcount", text, "--format", "csv", "--shard-bytes", "16KiB"]
        self.done_at_root("run", *words, "--json-summary", summary)
        processes = json.loads(summary.read_text())["processes"]
        self.assertEqual(sum(process["role"] == "worker" for process in processes), 2)
        self.stop_fleet()

    def test_ARootThatDoesNotAcceptPluginsSaysSo(self):
        self.start_bare_root()
        self.start_bare_worker("w0", "--accept-plugins")
        for command in ("run", "submit"):
            words = self.numbers() if command == "run" else self.numbers()[:-2]
            refused = self.at_root(command, *words, "--ship-plugin")
            self.assertEqual((refused.returncode, refused.stdout), (2, b""), refused.stderr)
            self.assertIn("--accept-plugins", self.one_sentence(refused.stderr))
        self.stop_fleet()

    def test_WithoutKeysNobodyAcceptsPlugins(self):
        without = {"environment": {"FANFOLD_KEYS": ""}}
        self.refused(2, "root", "--listen", "tcp://127.0.0.1:0", "--accept-plugins", says=["--accept-plugins", "--keys"],
                     **without)
        self.refused(2, "worker", "--root", "tcp://127.0.0.1:1", "--accept-plugins", says=["--accept-plugins", "--keys"],
                     **without)
        self.refused(2, "run", *self.numbers(), "--ship-plugin", says=["--ship-plugin", "--root"])

    def test_ACacheThatOthersMayEnterIsRefused(self):
        cache = self.folder / "cache"
        cache.mkdir(mode=0o755)
        cache.chmod(0o755)
        for arguments in (["root", "--listen", "tcp://127.0.0.1:0"], ["worker", "--root", "tcp://127.0.0.1:1"]):
            self.refused(3, *arguments, "--accept-plugins", "--plugin-cache", cache, says=[str(cache), "chmod 700"])
            self.refused(3, *arguments, "--accept-plugins", "--plugin-cache", self.keys / "root.pub", says=["no folder"])

    def test_AnotherBuildIsRefusedWithBothHashesWhereNothingIsShipped(self):
        plugins = self.folder / "plugins"
        plugins.mkdir()
        shutil.copy(TEST_JOBS / "libnumbers.so", plugins)
        with open(plugins / "libnumbers.so", "ab") as file:
            file.write(b"another build")
        arguments = self.numbers()
        hashes = r"[0-9a-f]{32}.*[0-9a-f]{32}"
        # At a worker, and at the root.
        self.start_bare_root("--accept-plugins", "--plugin-path", TEST_JOBS)
        self.start_bare_worker("other", "--accept-plugins", "--plugin-path", plugins)
        refused = self.at_root("run", *arguments)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertRegex(self.one_sentence(refused.stderr), hashes)
        # The client's own build is what runs where it is shipped.
        self.assertEqual(self.done_at_root("run", *arguments, "--ship-plugin"), self.twin(*arguments))
        self.stop_fleet()
        self.workers = []
        self.start_bare_root("--plugin-path", plugins)
        self.start_bare_worker("same", "--plugin-path", TEST_JOBS)
        refused = self.at_root("run", *arguments)
        self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertRegex(self.one_sentence(refused.stderr), hashes)
        self.stop_fleet()

    def test_AKilledWorkerOfAShippedPluginIsReplaced(self):
        self.start_accepting(2)
        slow = self.slow(200, 20)
        run = self.start_at_root("run", *slow, "--format", "csv", "--ship-plugin")
        self.wait_until(lambda: all(node["slots_used"] > 0 for node in self.nodes().values()), "both map")
        executors = [pid for pid in self.wait_for_role("internal-worker", 4)]
        os.kill(executors[-1], signal.SIGKILL)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error)
        self.assertEqual(out, self.twin(*self.slow(200, 0), "--format", "csv"))
        self.stop_fleet()

    def test_AWorkerThatJoinsInMidRunGetsThePluginToo(self):
        self.start_accepting(1)
        run = self.start_at_root("run", *self.slow(200, 20), "--format", "csv", "--ship-plugin")
        self.wait_until(lambda: self.nodes()["w0"]["slots_used"] > 0, "the run runs")
        self.start_bare_worker("late", "--accept-plugins")
        self.wait_until(lambda: self.nodes()["late"]["slots_used"] > 0, "it maps too")
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error)
        self.assertEqual(out, self.twin(*self.slow(200, 0), "--format", "csv"))
        self.stop_fleet()

    def test_AShippedJobThatCrashesEndsItsOwnRunAlone(self):
        self.start_accepting(1)
        other = self.start_at_root("run", *self.slow(100, 20), "--format", "csv", "--ship-plugin")
        failed = self.at_root("run", MISBEHAVE, "range:0..10", "--do", "segv", "--at", "map", "--ship-plugin")
        self.assertEqual(failed.returncode, 4, failed.stderr)
        out, error = other.communicate(timeout=TIMEOUT_S)
        self.assertEqual(other.returncode, 0, error)
        self.assertEqual(out, self.twin(*self.slow(100, 0), "--format", "csv"))
        self.stop_fleet()

    def test_AWorkerLoadsNothingThatARootNamesByItsPath(self):
        usurper = subprocess.Popen([STRANGER, "usurper", TEST_JOBS / "libnumbers.so"], stdout=subprocess.PIPE)
        self.started.append(usurper)
        url = usurper.stdout.readline().decode().strip()
        (self.folder / "empty").mkdir()
        worker = self.reading(self.start("worker", "--root", url, "--slots", 1, "--plugin-path", self.folder / "empty",
                                         "--drain-timeout", "1s", environment={"FANFOLD_KEYS": ""}))
        said = usurper.stdout.readline().decode()
        self.assertRegex(said, 'has no job "numbers"')
        worker.terminate()
        self.assertEqual(worker.wait(timeout=30), 0, "".join(worker.said))

    def test_WhatIsAnnouncedAndNotSentIsNeverLoaded(self):
        """A client that says one hash and sends other bytes: a forger with a key."""
        self.start_accepting(1)
        told = subprocess.run([STRANGER, "forger", self.url, self.keys, TEST_JOBS / "libnumbers.so"], timeout=TIMEOUT_S,
                              capture_output=True, env=self.environment)
        self.assertEqual(told.returncode, 0, told.stderr)
        # The exit code of the run, and its sentence.
        self.assertRegex(told.stdout.decode(), r"\A2 .*[0-9a-f]{32}.*[0-9a-f]{32}.*nothing of it is loaded")
        self.assertEqual((self.cached("root"), self.cached("w0")), ([], []))
        self.stop_fleet()


if __name__ == "__main__":
    main(FleetPlugins)
