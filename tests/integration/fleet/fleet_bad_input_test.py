#!/usr/bin/env python3
"""What is wrong with how a fleet is used: one sentence, the exit code of its kind, and nothing left behind."""
import socket

from fleet_harness import *


class FleetBadInput(FleetTest):
    def test_ARootThatCannotBeReachedIsNamedByEveryCommand(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            nobody = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        for arguments in (["run", "wordcount", __file__], ["submit", "wordcount", __file__], ["ps"], ["workers"],
                          ["worker", "--slots", 1], ["cancel", "0" * 31 + "1"], ["result", "0" * 31 + "1"]):
            self.refused(5, *arguments, "--root", nobody, "--root-timeout", "300ms", says=[nobody, "does not answer"])

    def test_AnAddressOfAnotherKindIsNamed(self):
        for arguments in (["run", "wordcount", __file__, "--root", "localhost:7000"], ["ps", "--root", "tcp://nowhere"],
                          ["worker", "--root", "ipc:///tmp/x"], ["root", "--listen", "tcp://127.0.0.1:99999"]):
            self.refused(2, *arguments, says=["tcp://HOST:PORT"])
        self.refused(2, "ps", says=["FANFOLD_ROOT"])
        self.refused(2, "root", says=["--listen"])

    def test_APortThatIsTakenIsNamed(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            url = f"tcp://127.0.0.1:{other.getsockname()[1]}"
            self.refused(3, "root", "--listen", url, says=[url, "Address already in use"])

    def neighbouring_ports(self):
        """Two ports side by side that nobody has, the first one held."""
        while True:
            first, second = socket.socket(), socket.socket()
            self.addCleanup(first.close)
            self.addCleanup(second.close)
            first.bind(("127.0.0.1", 0))
            port = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            first.listen()
            return port, first, second

    def test_AGatherPortThatAnotherProgramHasIsLeftOut(self):
        port, other, second = self.neighbouring_ports()
        second.close()
        path = self.file("text", some_text(2_000, 50))
        self.start_fleet(1, 2, "--gather-ports", f"{port}-{port + 1}")
        self.assertEqual(self.done_at_root("run", "wordcount", path, "--format", "csv"),
                         self.twin("wordcount", path, "--format", "csv"))
        self.says(self.root, f"tcp://127.0.0.1:{port}: Address already in use")
        self.stop_fleet()

    def test_ARunForWhichNoGatherPortIsFreeSaysWhoseAddressIsInUse(self):
        port, other, second = self.neighbouring_ports()
        second.listen()
        path = self.file("text", some_text(2_000, 50))
        self.start_fleet(1, 2, "--gather-ports", f"{port}-{port + 1}")
        failed = self.at_root("run", "wordcount", path)
        self.assertEqual(failed.returncode, 3, failed.stderr.decode())
        sentence = self.one_sentence(failed.stderr)
        for words in (f"--gather-ports {port}-{port + 1}", f"tcp://127.0.0.1:{port}: Address already in use",
                      f"tcp://127.0.0.1:{port + 1}: Address already in use"):
            self.assertIn(words, sentence)
        other.close()
        second.close()
        self.assertEqual(self.done_at_root("run", "wordcount", path, "--format", "csv"),
                         self.twin("wordcount", path, "--format", "csv"))
        self.stop_fleet()

    def test_ARootBeyondThisMachineNeedsToBeToldThatItMay(self):
        self.refused(2, "root", "--listen", "tcp://0.0.0.0:0", says=["--insecure"])
        self.refused(2, "root", "--listen", "tcp://0.0.0.0:0", "--insecure", says=["--advertise"])

    def test_APeerOfAnotherProtocolIsRefusedWithBothVersions(self):
        self.start_root()
        heard = subprocess.run([STRANGER, "node", self.url], capture_output=True, timeout=TIMEOUT_S)
        self.assertEqual(heard.returncode, 0, heard.stdout)
        word, mine, its, sentence = heard.stdout.decode().split(" ", 3)
        self.assertEqual((word, its), ("Refused", "1"))
        self.assertIn(f"protocol 1, the root speaks {mine}", sentence)
        self.assertEqual(self.nodes(), {})
        self.stop_fleet()

    def test_ARootOfAnotherProtocolIsNamedWithBothVersions(self):
        other = subprocess.Popen([STRANGER, "root"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(other)
        url = other.stdout.readline().decode().strip()
        for arguments in (["ps"], ["run", "wordcount", __file__]):
            self.refused(5, *arguments, "--root", url, says=["protocol 99"])
        self.refused(5, "worker", "--root", url, says=["too old"])
        other.kill()

    def test_ARunWithoutWorkersSaysThatItWaitsAndEnds(self):
        self.start_root()
        run = self.at_root("run", "wordcount", __file__, "--no-worker-timeout", "3s")
        self.assertEqual(run.returncode, 5)
        text = run.stderr.decode()
        self.assertIn("waiting for a worker", text)
        self.assertIn("no worker joined within 3 s", text)
        self.stop_fleet()

    def test_AFileThatAWorkerCannotOpenIsNamedWithUserPathAndHost(self):
        self.file("elsewhere/other", b"")
        path = self.file("here/text", some_text(100, 10))
        self.start_root()
        self.workers = [self.start_worker("w", 1, "--path-map", f"{self.folder}/here={self.folder}/elsewhere")]
        failed = self.at_root("run", "wordcount", path)
        self.assertEqual(failed.returncode, 3, failed.stderr.decode())
        sentence = self.one_sentence(failed.stderr)
        for words in (f"{self.folder}/elsewhere/text", "user ", f"host {socket.gethostname()}", "--path-map"):
            self.assertIn(words, sentence)
        self.stop_fleet()

    def test_AJobThatAWorkerHasNotOrInAnotherBuildIsNamed(self):
        self.start_fleet(1)
        missing = self.folder / "libnowhere.so"
        missing.write_bytes((TEST_JOBS / "libnoop.so").read_bytes())
        failed = self.at_root("run", missing, "range:0..10")
        self.assertEqual(failed.returncode, 2, failed.stderr.decode())
        self.assertIn('no job "nowhere"', self.one_sentence(failed.stderr))
        changed = self.folder / "libnoop.so"
        changed.write_bytes((TEST_JOBS / "libnoop.so").read_bytes() + b"\0")
        failed = self.at_root("run", changed, "range:0..10")
        self.assertEqual(failed.returncode, 2, failed.stderr.decode())
        self.assertRegex(self.one_sentence(failed.stderr), r"another build.*[0-9a-f]{32}.*[0-9a-f]{32}")
        self.stop_fleet()

    def test_RunsThatAreNotThereAreNamed(self):
        self.start_root()
        unknown = "0" * 31 + "7"
        for arguments in (["result", unknown], ["cancel", unknown]):
            refused = self.at_root(*arguments)
            self.assertEqual(refused.returncode, 2)
            self.assertIn(unknown, self.one_sentence(refused.stderr))
        for arguments in (["result", "7"], ["cancel"], ["submit", "wordcount", __file__, "--run-id", "x"]):
            self.assertEqual(self.at_root(*arguments).returncode, 2)
        self.stop_fleet()

    def test_WhatASubmittedRunCannotHaveIsRefused(self):
        self.start_root()
        for flags in (["--output", "x"], ["--format", "csv"], ["--sequential"]):
            refused = self.at_root("submit", "wordcount", __file__, *flags)
            self.assertEqual(refused.returncode, 2, refused.stderr)
        refused = self.at_root("submit", "wordcount", "-", stdin=b"a b c")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("files that stay", self.one_sentence(refused.stderr))
        self.assertEqual(self.at_root("run", "wordcount", __file__, "--workers", 2).returncode, 2)
        self.stop_fleet()

    def test_ResultsThatCannotBeKeptAreNamedAtTheStart(self):
        self.refused(3, "root", "--listen", "tcp://127.0.0.1:0", "--results", self.folder / "not there", says=["--results"])

    def test_MoreWorkersThanFilesMayBeOpenForAreRefusedAtTheStart(self):
        self.refused(2, "root", "--listen", "tcp://127.0.0.1:0", "--workers-max", 4000, says=["open files", "--workers-max"],
                     before=["prlimit", "--nofile=1024:1024"])


main(FleetBadInput)
