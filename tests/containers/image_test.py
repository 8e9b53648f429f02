#!/usr/bin/env python3
"""What the image is, and how a container of it behaves on its own."""
from container_harness import *

ADDED_BYTES_MAX = 45_000_000


class Image(ContainerTest):
    def config(self):
        return self.engine.inspect("image", self.image)["Config"]

    def in_image(self, *words):
        return self.engine.text("run", "--rm", "--network", "none", "--entrypoint", words[0], self.image, *words[1:])

    def test_TheImageAddsAtMost45MegabytesToItsBase(self):
        sizes = [self.engine.inspect("image", image)["Size"] for image in (self.image, self.fixture["base"])]
        print(f"the image adds {(sizes[0] - sizes[1]) / 1e6:.1f} MB")
        self.assertLessEqual(sizes[0] - sizes[1], ADDED_BYTES_MAX)

    def test_TheImageHasNoCompilerAndNoHeaders(self):
        found = self.in_image("sh", "-c", "for tool in cc c++ gcc g++ clang clang++ as ld make ninja cmake; do "
                              "command -v $tool; done; ls -d /usr/include/c++ /usr/local/include/fanfold 2>&-; true")
        self.assertEqual(found, "")

    def test_TheImageRunsAsAUserThatNoHostHas(self):
        self.assertEqual(self.in_image("id", "-u"), "10001")
        self.assertEqual(self.config()["User"], "10001:10001")

    def test_TheImageSaysWhatItIsAndHowItIsKept(self):
        config = self.config()
        self.assertEqual(config["Labels"]["org.opencontainers.image.title"], "fanfold")
        self.assertIn("org.opencontainers.image.description", config["Labels"])
        self.assertEqual(config["Healthcheck"]["Test"], ["CMD", "fanfold", "health"])
        self.assertEqual(config["StopSignal"], "SIGTERM")
        self.assertEqual(set(config["Volumes"]), {"/plugins", "/results"})
        self.assertEqual(config["Entrypoint"], ["fanfold"])
        self.assertLessEqual({"7117/tcp", "7118/tcp", "7200/tcp", "7215/tcp"}, set(config["ExposedPorts"]))

    def test_TheImageHasTheBuiltInJobsAndFindsThoseOfItsVolume(self):
        listed = self.engine.text("run", "--rm", "--network", "none", "--volume", f"{self.volume('jobs')}:/plugins:ro",
                                  self.image, "jobs")
        for job in ("wordcount", "stats", "numbers"):
            self.assertRegex(listed, rf"(?m)^{job}\b")

    def test_AContainerAloneRunsAJob(self):
        run = ["run", "--rm", "--network", "none", "--read-only", "--tmpfs", "/tmp", "--volume",
               f"{self.volume('data')}:/data:ro", self.image, "run", "wordcount", "/data", "--format", "csv"]
        self.assertEqual(self.engine.docker(*run).stdout, self.engine.docker(*run, "--sequential").stdout)

    def test_NodesGetHealthyAndEndWith0WhenTheyAreStopped(self):
        self.start_root()
        worker = self.start_worker("w1")
        for container in (self.root, worker):
            self.wait_until(lambda: self.state(container)["Health"]["Status"] == "healthy", f"{container} is healthy")
        self.engine.docker("stop", "--time", "60", worker)
        self.wait_until_gone("w1")
        self.engine.docker("stop", "--time", "60", self.root)
        for container in (worker, self.root):
            self.assertEqual(self.state(container)["ExitCode"], 0, self.log(container))


main(Image)
