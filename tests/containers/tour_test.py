#!/usr/bin/env python3
"""docs/containers.md as a reader follows it: every indented command, in the page's order, in a copy of the project."""
import re
import shutil
import tempfile

from container_harness import *

PAGE = SOURCE / "docs/containers.md"
TOUR_SECONDS_MAX = 1200


def commands_of(page):
    """The indented blocks, joined; the page's commands share a shell, as a reader's do."""
    return "\n".join(line[4:] for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("    "))


class Tour(ContainerTest):
    def setUp(self):
        super().setUp()
        made = [("container", "root"), ("container", "worker"), ("network", "fanfold"), ("network", "fanfold_default"),
                ("image", "fanfold")]
        taken = [f"{kind} {name}" for kind, name in made
                 if self.engine.docker(kind, "inspect", name, check=False).returncode == 0]
        if taken:
            self.skipTest(f"this engine already has what the page makes: {', '.join(taken)}")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="fanfold-tour-"))
        self.project = self.folder / "fanfold"
        # What .dockerignore leaves out of an image's build as well, so that the fixture's build is found again.
        shutil.copytree(SOURCE, self.project, ignore=shutil.ignore_patterns("build", ".git", ".cache"), symlinks=True)

    def tearDown(self):
        if hasattr(self, "folder"):
            self.compose("down", "--volumes", "--timeout", "5", check=False)
            self.engine.docker("rm", "--force", "--volumes", "root", "worker", check=False)
            self.engine.docker("network", "rm", "fanfold", check=False)
            self.engine.docker("image", "rm", "fanfold", check=False)
            shutil.rmtree(self.folder)
        super().tearDown()

    def compose(self, *words, check=True):
        environment = {**os.environ, "FANFOLD_KEYS": str(self.folder), "FANFOLD_DATA": str(self.folder)}
        command = ["docker-compose", "-p", "fanfold", "-f", "deploy/compose.yaml", *words]
        return subprocess.run(command, cwd=self.project, capture_output=True, check=check, env=environment)

    def test_EveryCommandOfThePageOfContainersWorks(self):
        script = self.folder / "tour.sh"
        script.write_text("set -euxo pipefail\n" + commands_of(PAGE))
        walked = subprocess.run(["bash", script], cwd=self.project, stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, timeout=TOUR_SECONDS_MAX)
        self.assertEqual(walked.returncode, 0, walked.stdout[-4000:] + walked.stderr[-6000:])
        tables = re.findall(r"word +count\n-+ +-+\n(?:\S+ +\d+\n){5}", walked.stdout.replace("\r\n", "\n"))
        self.assertEqual(len(tables), 3, walked.stdout)
        self.assertEqual(len(set(tables)), 1, "alone, by hand and by compose: the same rows")
        self.assertEqual(self.engine.text("ps", "--all", "--quiet", "--filter", "name=^(root|worker|fanfold_.*)$"), "")


main(Tour)
