#!/usr/bin/env python3
"""The configuration file: flags of the engine that neither the command line nor the environment gives."""
from harness import *


class Config(RunTest):
    def setUp(self):
        super().setUp()
        self.text = self.file("text", b"a b a\n")

    def config(self, text, name="config/fanfold/config.toml"):
        return self.file(name, text.encode())

    def test_TheFlagWinsOverTheEnvironmentAndThatOverTheFile(self):
        self.config('format = "json"\nquiet = true\n')
        run = ("run", "wordcount", self.text)
        done = self.done(*run)
        self.assertTrue(done.stdout.startswith(b"["), done.stdout)
        self.assertEqual(done.stderr, b"")
        environment = {"FANFOLD_FORMAT": "csv"}
        self.assertEqual(self.done(*run, environment=environment).stdout, b"word,count\na,2\nb,1\n")
        self.assertTrue(self.done(*run, "--format", "jsonl", environment=environment).stdout.startswith(b"{"))

    def test_TheFileIsTheOneNamedOrTheUsersOwn(self):
        other = self.config('format = "csv"\n', "other.toml")
        self.config('format = "json"\n')
        csv = b"word,count\na,2\nb,1\n"
        self.assertEqual(self.done("run", "wordcount", self.text, "--config", other).stdout, csv)
        self.assertEqual(self.done("run", "wordcount", self.text, environment={"FANFOLD_CONFIG": other}).stdout, csv)
        home = self.folder / "home"
        self.config('format = "csv"\n', "home/.config/fanfold/config.toml")
        self.assertEqual(self.done("run", "wordcount", self.text,
                                   environment={"HOME": str(home), "XDG_CONFIG_HOME": ""}).stdout, csv)
        self.refused(3, "run", "wordcount", self.text, "--config", "missing.toml", says=["missing.toml", "--config"])

    def test_JobsAreFoundWhereTheFileSays(self):
        self.config(f'plugin-path = ["/nowhere", "{TEST_JOBS}"]\n')
        self.assertIn(b"6", self.done("run", "numbers", "range:0..4", "--format", "csv").stdout)

    def test_BrokenFilesAreRefusedWithFileAndLine(self):
        def says(text, *words):
            path = self.config(text)
            self.refused(2, "run", "wordcount", self.text, says=[path, *words])
        says('quiet = true\nworker = 2\n', "line 2", '"worker"', 'did you mean "workers"')
        says('[engine]\nworkers = 2\n', "line 1", '"engine"')
        says('workers = "many"\n', "line 1", '"many"')
        says('quiet = 1\n', "line 1", "quiet takes true or false")
        says('workers = -1\n', "line 1", "workers takes a whole number")
        says('memory = true\n', "line 1", "memory takes a size")
        says('format = ["csv"]\n', "line 1", "format takes a text")
        says('config = "x"\n', "line 1", "command line")
        says('workers = \n', "line 1", "column", "not TOML")
        says('memory = "much"\n', "line 1", "memory", "much")

    def test_ShowConfigTellsEachValueAndWhereItIsFrom(self):
        path = self.config('workers = 3\nmemory = "1GiB"\nplugin-path = ["/a", "/b"]\n')
        shown = self.done("run", "--show-config", "--slots=2", environment={"FANFOLD_MEMORY": "2GiB"}).stdout.decode()
        lines = shown.splitlines()
        self.assertIn(f'workers = 3  # workers in "{path}", line 1', lines)
        self.assertIn('memory = "2GiB"  # FANFOLD_MEMORY', lines)
        self.assertIn("slots = 2  # --slots", lines)
        self.assertIn(f'plugin-path = ["/a", "/b"]  # plugin-path in "{path}", line 3', lines)
        self.assertTrue(any(line.startswith("# format: ") for line in lines), shown)
        # What it prints is a file that says the same.
        again = self.config(shown, "again.toml")
        self.assertEqual([line.split("  #")[0] for line in lines if not line.startswith("#")],
                         [line.split("  #")[0] for line in
                          self.done("run", "--show-config", "--config", again).stdout.decode().splitlines()
                          if not line.startswith("#") and not line.startswith("config = ")])

    def test_EveryCommandOfAFleetShowsItsOwn(self):
        path = self.config('root = "tcp://127.0.0.1:7117"\nruns-max = 2\nquiet = true\nslots = 3\n')
        for command, wanted, unwanted in (
                ("root", f'runs-max = 2  # runs-max in "{path}", line 2', "slots"),
                ("worker", f'slots = 3  # slots in "{path}", line 4', "runs-max"),
                ("ps", f'root = "tcp://127.0.0.1:7117"  # root in "{path}", line 1', "slots"),
                ("result", f'quiet = true  # quiet in "{path}", line 3', "slots")):
            shown = self.done(command, "--show-config").stdout.decode()
            self.assertIn(wanted, shown.splitlines())
            self.assertNotIn(unwanted, shown)
        shown = self.done("worker", "--show-config", "--slots", 2, environment={"FANFOLD_NAME": "w1"}).stdout.decode()
        self.assertIn("slots = 2  # --slots", shown.splitlines())
        self.assertIn('name = "w1"  # FANFOLD_NAME', shown.splitlines())


if __name__ == "__main__":
    main(Config)
