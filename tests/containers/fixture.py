#!/usr/bin/env python3
"""What all tests of this folder stand on: an engine, the base, the image built from the Dockerfile, and volumes with
data, test jobs and keys. What there is stands in FOLDER/fixture.json.

Usage: fixture.py up|down SOURCE_FOLDER FOLDER TEST_PROGRAMS_FOLDER
Exit 77: containers cannot run here; the reason is printed, and every test is skipped with it.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import base_image
from engine import Engine, OwnEngine, Unavailable, answers

IMAGE = "fanfold-test"
VOLUMES = {name: f"fanfold-test-{name}" for name in ("data", "jobs", "keys")}
BUILD_SECONDS_MAX = 1500
JOBS = ("numbers", "misbehave")


def some_text(words, distinct, seed):
    rng = random.Random(seed)
    vocabulary = ["".join(rng.choices("abcdefghij,\"\u00e9\u4e16", k=rng.choice([1, 2, 3, 5, 8, 16, 17, 40])))
                  for _ in range(distinct)]
    return "".join(vocabulary[min(int(rng.paretovariate(0.7)), distinct) - 1] + rng.choice(" \n")
                   for _ in range(words)).encode()


class Fixture:
    def __init__(self, source, folder, programs):
        self.source, self.folder, self.programs = source, folder, programs
        self.path = folder / "fixture.json"
        self.skipped = folder / "skipped"  # why; stays, for whoever asks when all is over
        self.state = {}

    def keep(self, **facts):
        self.state.update(facts)
        self.path.write_text(json.dumps(self.state))

    # ---- up ------------------------------------------------------------------------------------

    def up(self):
        self.down()  # of an earlier time that was broken off
        self.folder.mkdir(parents=True, exist_ok=True)
        self.skipped.unlink(missing_ok=True)
        try:
            engine = self.find_engine()
            self.step("base image", lambda: self.bring_base(engine))
        except Unavailable as reason:
            self.keep(skipped=str(reason))
            self.skipped.write_text(f"{reason}\n")
            print(f"SKIPPED: {reason}")
            return 77
        self.step("image", lambda: self.build_image(engine))
        self.step("volumes", lambda: self.fill_volumes(engine))
        self.keep(image=IMAGE, base=base_image.BASE, volumes=VOLUMES)
        return 0

    @staticmethod
    def step(what, action):
        start = time.monotonic()
        action()
        print(f"{what}: {time.monotonic() - start:.0f} s", flush=True)

    def find_engine(self):
        try:
            if answers():
                self.keep(host=os.environ.get("DOCKER_HOST", ""), own=None)
                return Engine(None)
        except FileNotFoundError:
            raise Unavailable("docker is not installed: scripts/setup containers") from None
        own = OwnEngine.start(self.folder / "engine")
        self.keep(host=own.record["host"], own=own.record)
        return Engine(own.record["host"])

    def bring_base(self, engine):
        self.keep(base_is_ours=base_image.provide(engine, self.folder.parent.parent / "containers"))
        # Beyond an engine that answers: some machines let none of its containers start.
        ran = engine.docker("run", "--rm", "--network", "none", "--memory", "64m", "--cpus", "0.5", base_image.BASE,
                            "true", check=False)
        if ran.returncode != 0:
            said = ran.stderr.decode(errors="replace").strip()
            raise Unavailable(f"an engine answers, but a container does not start: {said}")

    def build_image(self, engine):
        # The host's network: where its names are resolved, a build resolves them as well.
        with open(self.folder / "build.log", "wb") as log:
            built = subprocess.run(["docker", "build", "--network", "host", "--tag", IMAGE, "."], cwd=self.source,
                                   stdin=subprocess.DEVNULL, stdout=log, stderr=log, timeout=BUILD_SECONDS_MAX)
        if built.returncode != 0:
            tail = (self.folder / "build.log").read_text(errors="replace").splitlines()[-40:]
            raise SystemExit("\n".join([*tail, f"docker build ended with {built.returncode}"]))

    def fill_volumes(self, engine):
        for name in VOLUMES.values():
            engine.docker("volume", "create", name)
        with tempfile.TemporaryDirectory() as folder:
            data = pathlib.Path(folder) / "data"
            data.mkdir()
            for number in range(4):
                (data / f"text-{number}").write_bytes(some_text(400_000, 30_000, number))
            self.copy(engine, data, "data")
            jobs = pathlib.Path(folder) / "jobs"
            jobs.mkdir()
            for job in JOBS:
                (jobs / f"lib{job}.so").write_bytes((self.programs / "jobs" / f"lib{job}.so").read_bytes())
            stranger = jobs / "stranger"
            stranger.write_bytes((self.programs / "stranger").read_bytes())
            stranger.chmod(0o755)
            self.copy(engine, jobs, "jobs")
        # A new volume takes the owner of the folder it is mounted on: /results is the image's user's.
        for role in (("root",), ("worker", "workers"), ("client", "client")):
            engine.docker("run", "--rm", "--volume", f"{VOLUMES['keys']}:/results", IMAGE, "keygen", *role,
                          "--keys", "/results")

    @staticmethod
    def copy(engine, folder, volume):
        container = engine.text("create", "--volume", f"{VOLUMES[volume]}:/into", IMAGE)
        engine.docker("cp", f"{folder}/.", f"{container}:/into")
        engine.docker("rm", container)

    # ---- down ----------------------------------------------------------------------------------

    def down(self):
        try:
            self.state = json.loads(self.path.read_text())
        except FileNotFoundError:
            return 0
        own = self.state.get("own")
        if own:
            OwnEngine(own).stop()
        elif "host" in self.state:
            engine = Engine(self.state["host"])
            engine.docker("volume", "rm", "--force", *VOLUMES.values(), check=False)
            engine.docker("image", "rm", IMAGE, check=False)
            if self.state.get("base_is_ours"):
                engine.docker("image", "rm", base_image.BASE, check=False)
        self.path.unlink()
        self.state = {}
        return 0


if __name__ == "__main__":
    fixture = Fixture(*(pathlib.Path(word).resolve() for word in sys.argv[2:5]))
    sys.exit({"up": fixture.up, "down": fixture.down}[sys.argv[1]]())
