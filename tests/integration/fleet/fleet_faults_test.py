#!/usr/bin/env python3
"""Runs on a fleet in which processes are killed, jobs go wrong and clients vanish."""
from fleet_harness import *


class FleetFaults(FleetTest):
    def run_with_a_kill(self, pick):
        self.start_fleet(3, 1)
        arguments = self.slow(120)
        run = self.start_at_root("run", *arguments, "--format", "csv")
        self.wait_until(lambda: all(node["slots_used"] > 0 for node in self.nodes().values()), "all map")
        os.kill(pick(), signal.SIGKILL)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
        self.assertEqual(out, self.twin(*self.slow(120, 0), "--format", "csv"))

    def executor(self, worker):
        """The process that maps: a child of the supervisor, which is a child of the worker."""
        supervisor = self.wait_until(lambda: self.children_of(worker.pid, "internal-worker"), "a supervisor")[0]
        return self.wait_until(lambda: self.children_of(supervisor, "internal-worker"), "an executor")[0]

    def test_AKilledExecutorOfAFleetIsReplaced(self):
        self.run_with_a_kill(lambda: self.executor(self.workers[0]))
        self.stop_fleet()

    def test_AKilledSupervisorOfAFleetIsReplaced(self):
        self.run_with_a_kill(lambda: self.children_of(self.workers[0].pid, "internal-worker")[0])
        self.stop_fleet()

    def test_AKilledGathererOfAFleetIsReplaced(self):
        self.run_with_a_kill(lambda: self.wait_for_role("internal-gatherer")[0])
        self.stop_fleet()

    def test_AKilledWorkerTakesItsProcessesWithItAndItsWorkIsDoneAgain(self):
        self.run_with_a_kill(lambda: self.workers[0].pid)
        self.workers[0].wait(timeout=10)
        self.workers.pop(0)
        self.stop_fleet()

    def test_AJobThatCrashesInFinishOrMergeFailsItsRunAndNoOther(self):
        self.start_fleet(2)
        other = self.start_at_root("run", *self.slow(200), "--format", "csv")
        self.wait_until(lambda: any(node["slots_used"] > 0 for node in self.nodes().values()), "the other runs")
        for at in ("finish", "merge"):
            failed = self.at_root("run", MISBEHAVE, "range:0..10", "--do", "fault", "--at", at)
            self.assertEqual(failed.returncode, 4, failed.stderr.decode(errors="replace"))
            self.assertIn("signal 11 (SEGV)", self.one_sentence(failed.stderr))
        self.assertIsNone(other.poll(), "it goes on meanwhile")
        out, error = other.communicate(timeout=TIMEOUT_S)
        self.assertEqual(other.returncode, 0, error.decode(errors="replace"))
        self.assertEqual(out, self.twin(*self.slow(200, 0), "--format", "csv"))
        self.stop_fleet()

    def test_AJobThatCrashesInMapFailsItsRunAndNoOther(self):
        self.start_fleet(2)
        other = self.start_at_root("run", *self.slow(100), "--format", "csv")
        failed = self.submit(MISBEHAVE, "range:0..100", "--shard-items", 10, "--do", "fault", "--at", "map", "--in-shard", 7)
        self.wait_for_stage(failed, "failed")
        for _ in range(2):
            told = self.at_root("result", failed)
            self.assertEqual(told.returncode, 4)
            self.assertIn("while mapping", self.one_sentence(told.stderr))
        out, error = other.communicate(timeout=TIMEOUT_S)
        self.assertEqual(other.returncode, 0, error.decode(errors="replace"))
        self.assertEqual(out, self.twin(*self.slow(100, 0), "--format", "csv"))
        self.stop_fleet()

    def test_ARunWhoseClientIsKilledIsCancelledAndASubmittedOneGoesOn(self):
        self.start_fleet(2)
        attached = self.start_at_root("run", *self.slow(10_000))
        submitted = self.submit(*self.slow(600))
        run = self.wait_until(lambda: [run for run, told in self.runs().items() if told["attached"]], "it runs")[0]
        attached.kill()
        attached.wait(timeout=10)
        told = self.wait_for_stage(run, "failed")
        self.assertIn("its client is gone", told["sentence"])
        self.assertEqual(self.done_at_root("result", submitted, "--format", "csv"),
                         self.twin(*self.slow(600, 0), "--format", "csv"))
        self.stop_fleet()

    def test_SigintEndsARunOfAFleetWith130(self):
        self.start_fleet(1)
        run = self.start_at_root("run", *self.slow(10_000))
        self.wait_until(lambda: any(node["slots_used"] > 0 for node in self.nodes().values()), "it runs")
        run.send_signal(signal.SIGINT)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual((run.returncode, out), (130, b""), error.decode(errors="replace"))
        self.wait_until(lambda: all(told["stage"] == "failed" for told in self.runs().values()), "the root has ended it")
        self.stop_fleet()

    def test_ARootThatStopsTellsItsClientsAndLeavesNothing(self):
        self.start_fleet(2)
        run = self.start_at_root("run", *self.slow(10_000))
        self.wait_until(lambda: any(node["slots_used"] > 0 for node in self.nodes().values()), "it runs")
        self.root.send_signal(signal.SIGTERM)
        self.assertEqual(self.root.wait(timeout=20), 0)
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual((run.returncode, out), (5, b""), error.decode(errors="replace"))
        self.assertIn("the root was stopped", self.one_sentence(error))
        self.stop_fleet()

    def test_AKilledRootLeavesNoProcessOfItsRuns(self):
        self.start_fleet(1)
        run = self.start_at_root("run", *self.slow(10_000), "--root-timeout", "2s")
        self.wait_for_role("internal-gatherer")
        self.root.kill()
        self.root.wait(timeout=10)
        self.wait_until(lambda: "internal-gatherer" not in [role for _, role in self.processes()], "its gatherers end")
        run.kill()
        run.wait(timeout=10)
        self.workers[0].send_signal(signal.SIGTERM)
        self.workers[0].send_signal(signal.SIGTERM)
        self.workers[0].wait(timeout=20)
        self.assert_nothing_left()


main(FleetFaults)
