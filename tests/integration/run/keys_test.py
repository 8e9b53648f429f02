#!/usr/bin/env python3
"""`fanfold keygen`: keys as files."""
import stat

from harness import *


class Keys(RunTest):
    def setUp(self):
        super().setUp()
        self.keys = self.folder / "keys"

    def test_KeygenMakesSecretsForTheirOwnerAloneAndNeverOverwritesThem(self):
        for arguments, name in ((("root",), "root"), (("worker", "w1"), "w1"), (("client", "alice"), "alice")):
            said = self.done("keygen", *arguments, "--keys", self.keys).stdout.decode()
            secret, public = self.keys / f"{name}.key", self.keys / f"{name}.pub"
            self.assertIn(str(secret), said)
            self.assertIn(str(public), said)
            self.assertEqual(stat.S_IMODE(secret.stat().st_mode), 0o600)
            self.assertNotIn(secret.read_text().split()[-1], public.read_text() + said)
        self.assertEqual(stat.S_IMODE(self.keys.stat().st_mode), 0o700)
        before = (self.keys / "w1.key").read_bytes()
        self.refused(3, "keygen", "worker", "w1", "--keys", self.keys, says=["w1.key", "exists already"])
        self.assertEqual((self.keys / "w1.key").read_bytes(), before)
        # From the environment as well.
        self.done("keygen", "worker", "w2", environment={"FANFOLD_KEYS": str(self.keys)})
        self.assertTrue((self.keys / "w2.key").exists())

    def test_KeygenRefusesWhatMakesNoKeyWithASentence(self):
        self.refused(2, "keygen", says=["a role and --keys FOLDER are needed"])
        self.refused(2, "keygen", "admin", "--keys", self.keys, says=['no role "admin"'])
        self.refused(2, "keygen", "worker", "--keys", self.keys, says=["needs a name"])
        self.refused(2, "keygen", "worker", "../w1", "--keys", self.keys, says=['"../w1" is no name'])
        self.refused(2, "keygen", "worker", "root", "--keys", self.keys, says=['called "root"'])
        self.refused(2, "keygen", "worker", "w1", "w2", "--keys", self.keys, says=["w2"])
        self.assertFalse(self.keys.exists())
        self.refused(3, "keygen", "worker", "w1", "--keys", self.file("file", b""), says=["file"])
        self.assertIn(b"keygen worker NAME", self.done("keygen", "--help").stdout)


if __name__ == "__main__":
    main(Keys)
