#!/usr/bin/env python3
"""A fleet with keys: who is let in, in which role, and what becomes of a key that is taken away."""
from fleet_harness import *


class FleetKeys(FleetTest):
    def setUp(self):
        super().setUp()
        self.keys = self.folder / "keys"
        for arguments in (("root",), ("worker", "w0"), ("worker", "w1"), ("client", "ann")):
            self.done("keygen", *arguments, "--keys", self.keys)

    def start_keyed(self, workers=2, slots=2):
        self.start_root("--keys", self.keys)
        self.workers = [self.start_worker(f"w{number}", slots, "--keys", self.keys, "--key-name", f"w{number}")
                        for number in range(workers)]
        self.environment["FANFOLD_KEYS"] = str(self.keys)  # of the clients

    def other_keys(self, name, *files):
        """A folder with some of the keys, as another machine has them."""
        folder = self.folder / name
        folder.mkdir(mode=0o700)
        for file in files:
            (folder / file).write_bytes((self.keys / file).read_bytes())
            (folder / file).chmod(0o600)
        return folder

    def test_AFleetWithKeysGivesTheTwinsBytes(self):
        text = self.file("text", large_text())
        self.start_keyed()
        arguments = ["wordcount", text, "--format", "csv", "--shard-bytes", "64KiB"]
        self.assertEqual(self.done_at_root("run", *arguments), self.twin(*arguments))
        run = self.submit("wordcount", text, "--shard-bytes", "64KiB")
        self.wait_for_stage(run, "done")
        self.assertEqual(self.done_at_root("result", run, "--format", "csv"), self.twin(*arguments))
        self.stop_fleet()

    def test_AKeyThatIsNotAdmittedIsRefusedByNameAndLetInOnceItIs(self):
        self.start_keyed(1)
        strangers = self.folder / "strangers"
        for role in ("worker", "client"):
            self.done("keygen", role, f"new{role}", "--keys", strangers)
        (strangers / "root.pub").write_bytes((self.keys / "root.pub").read_bytes())
        asked = self.at_root("ps", "--keys", strangers)
        self.assertEqual(asked.returncode, 5, asked.stderr)
        self.assertIn('does not admit the key "newclient"', self.one_sentence(asked.stderr))
        joined = self.at_root("worker", "--slots", 1, "--keys", strangers)
        self.assertEqual(joined.returncode, 5, joined.stderr)
        self.assertIn("does not admit this worker's key", self.one_sentence(joined.stderr))
        (self.keys / "newclient.pub").write_bytes((strangers / "newclient.pub").read_bytes())
        self.wait_until(lambda: self.at_root("ps", "--keys", strangers).returncode == 0, "the new key is let in")
        self.stop_fleet()

    def test_AKeyOfAnotherRoleMayNotDoWhatThatRoleMay(self):
        self.start_keyed(1)
        # Whatever a stranger writes into his own file: the root goes by its list.
        clients = self.other_keys("clients", "root.pub", "w1.key")
        (clients / "w1.key").write_text((clients / "w1.key").read_text().replace(" worker ", " client "))
        asked = self.at_root("ps", "--keys", clients)
        self.assertEqual(asked.returncode, 5, asked.stderr)
        self.assertIn("is a worker's, which may not ask for runs", self.one_sentence(asked.stderr))
        workers = self.other_keys("workers", "root.pub", "ann.key")
        (workers / "ann.key").write_text((workers / "ann.key").read_text().replace(" client ", " worker "))
        joined = self.at_root("worker", "--slots", 1, "--keys", workers)
        self.assertEqual(joined.returncode, 5, joined.stderr)
        self.assertIn("is a client's, which may not join as a worker", self.one_sentence(joined.stderr))
        self.assertEqual(list(self.nodes()), ["w0"])
        self.stop_fleet()

    def test_WithoutAKeyOrWithAnotherRootsNobodyIsHeard(self):
        self.start_keyed(1)
        for flags in ([], ["--keys", self.impostor()]):
            asked = self.at_root("ps", "--root-timeout", "500ms", *flags, environment={"FANFOLD_KEYS": ""})
            self.assertEqual(asked.returncode, 5, asked.stderr)
            self.assertIn("does not answer", self.one_sentence(asked.stderr))
        self.stop_fleet()

    def impostor(self):
        folder = self.other_keys("impostor", "ann.key")
        self.done("keygen", "root", "--keys", self.folder / "another")
        (folder / "root.pub").write_bytes((self.folder / "another" / "root.pub").read_bytes())
        return folder

    def test_ARevokedWorkerIsFencedAndItsWorkDoneByOthers(self):
        self.start_keyed(2)
        arguments = self.slow(60)
        run = self.start_at_root("run", *arguments, "--format", "csv")
        self.wait_until(lambda: any(record["slots"] == 4 for record in self.runs().values()), "both workers map")
        (self.keys / "w1.pub").unlink()
        gone = self.workers.pop()
        self.assertEqual(gone.wait(timeout=60), 5, "".join(gone.said))
        self.says(gone, "does not admit this worker's key")
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error)
        self.assertEqual(out, self.twin(*arguments, "--format", "csv"))
        self.assertEqual(list(self.nodes()), ["w0"])
        self.stop_fleet()

    def test_KeysThatCannotBeUsedAreNamed(self):
        self.refused(2, "root", "--listen", "tcp://127.0.0.1:0", "--keys", self.keys, "--insecure",
                     says=["--keys and --insecure"])
        self.refused(3, "root", "--listen", "tcp://127.0.0.1:0", "--keys", self.folder / "missing", says=["missing"])
        nobody = ["--root", "tcp://127.0.0.1:1", "--keys"]
        self.refused(3, "worker", *nobody, self.keys, says=["(w0, w1)", "--key-name"])
        self.refused(3, "ps", *nobody, self.other_keys("rootless", "ann.key"), says=["root.pub"])
        self.refused(3, "ps", *nobody, self.other_keys("keyless", "root.pub"), says=["no client's key"])
        secret = self.keys / "ann.key"
        secret.chmod(0o644)
        self.refused(3, "ps", *nobody, self.keys, says=["ann.key", "chmod 600"])
        secret.chmod(0o600)
        secret.write_text("-----BEGIN RSA PRIVATE KEY-----\n")
        self.refused(3, "ps", *nobody, self.keys, says=["ann.key", "not a key file"])


if __name__ == "__main__":
    main(FleetKeys)
