#!/usr/bin/env python3
"""A fleet in containers to which something happens in mid-run: the result has the bytes of the twin all the same."""
from container_harness import *


class Faults(ContainerTest):
    def test_AWorkerContainerThatIsKilledIsGivenUpAndItsWorkDoneAgain(self):
        self.start_fleet(4)
        run = self.start_gated_run()
        self.engine.docker("kill", "--signal", "KILL", self.workers["w1"])
        self.wait_until_gone("w1")
        self.assert_ends_as_the_twin(run)

    def test_AWorkerThatIsPausedIsGivenUpAndComesBackWhenItGoesOn(self):
        self.start_fleet(4)
        run = self.start_gated_run()
        self.engine.docker("pause", self.workers["w1"])
        self.wait_until_gone("w1")
        self.engine.docker("unpause", self.workers["w1"])
        self.wait_until_mapping("w1")
        self.assert_ends_as_the_twin(run)

    def test_AWorkerThatIsPausedForAMomentGoesOn(self):
        self.start_fleet(4)
        run = self.start_gated_run()
        for _ in range(3):
            for worker in self.workers.values():
                self.engine.docker("pause", worker)
                self.engine.docker("unpause", worker)
        self.assertEqual(set(self.nodes()), set(self.workers))
        self.assert_ends_as_the_twin(run)

    def test_AWorkerWithoutNetworkIsGivenUpAndComesBackWithIt(self):
        self.start_fleet(4, "--root-timeout", "5m")  # the root gives it up first, and it does not give up the root
        run = self.start_gated_run()
        self.engine.docker("network", "disconnect", self.prefix, self.workers["w1"])
        self.wait_until_gone("w1")
        self.engine.docker("network", "connect", "--alias", "w1", self.prefix, self.workers["w1"])
        self.wait_until_mapping("w1")
        self.assert_ends_as_the_twin(run)

    def test_WorkersThatComeAndGoInMidRunTakePartAndAreDrained(self):
        self.start_fleet(1)
        run = self.start_gated_run()
        for name in ("w1", "w2", "w3"):
            self.workers[name] = self.start_worker(name)
            self.wait_until_mapping(name)
        for name in ("w0", "w2"):
            self.engine.docker("stop", "--time", "60", self.workers[name])
            self.assertEqual(self.state(self.workers[name])["ExitCode"], 0, self.log(self.workers[name]))
            self.wait_until_gone(name)
        self.assertEqual(set(self.nodes()), {"w1", "w3"})
        self.assert_ends_as_the_twin(run)

    def test_AllWorkersAreRestartedOneAfterTheOther(self):
        self.start_fleet(4)
        run = self.start_gated_run()
        for name, worker in self.workers.items():
            self.engine.docker("restart", "--time", "60", worker)
            self.wait_until_mapping(name)
            self.assertFalse(self.state(worker)["OOMKilled"])
        self.assert_ends_as_the_twin(run)

    # ---- memory ----------------------------------------------------------------------------------

    def allocating(self, megabytes, *flags):
        return [MISBEHAVE, "range:0..40", "--shard-items", 1, "--do", "allocate", "--megabytes", megabytes, *flags]

    def test_AJobThatRunsOutOfItsContainersMemoryFailsWithThatCauseAndItsPeak(self):
        self.start_root()
        for name in ("w0", "w1"):
            self.start_worker(name, memory="160m")
        code, out, error = self.end_of(self.start_run(*self.allocating(48)))
        self.assertEqual((code, out), (4, b""), error)
        print(error)
        self.assertRegex(error, r"ran out of memory.*\b1[0-9]{2} MiB")
        self.assertEqual(set(self.nodes()), {"w0", "w1"}, "nodes outlive their jobs")

    def test_WorkThatRanOutOfMemoryOnceIsDoneAgain(self):
        self.start_root()
        self.start_worker("w0", memory="160m")
        run = self.start_run(*self.allocating(400, "--once", "/results/once"))
        code, _, error = self.end_of(run)
        self.assertEqual(code, 0, error)
        self.assertRegex(error, r"[1-9]\d* retr")


main(Faults)
