#!/usr/bin/env python3
"""A fleet in containers that nobody disturbs: what it answers, and what its processes take of their limits."""
from container_harness import *


class Fleet(ContainerTest):
    def test_FourLimitedWorkersGiveTheBytesOfTheTwin(self):
        self.start_fleet(4)
        for run in (["wordcount", "/data", "--shard-bytes", "64KiB"],
                    [NUMBERS, "range:0..100000", "--shard-items", 100, "--modulus", 1009]):
            out = self.fanfold("run", *run, "--format", "csv").stdout
            self.assertGreater(len(out), 1000)
            self.assertEqual(out, self.twin(*run, "--format", "csv"))
        self.assertEqual(len(self.nodes()), 4)

    def test_AWorkerWithHalfAProcessorHasOneSlotAndNoMoreThreadsThanItNeeds(self):
        self.start_fleet(1)
        run = self.start_gated_run()
        self.assertEqual(self.nodes()["w0"]["slots"], 1)
        # docs/containers.md counts them: the node, its supervisor, and its executor with one slot.
        self.assertEqual(self.threads_in(self.workers["w0"]),
                         [("internal-worker", 1), ("internal-worker", 4), ("worker", 12)])
        self.assert_ends_as_the_twin(run)

    def threads_in(self, container):
        """(role, threads) of every process of ours in a container."""
        count = "for p in /proc/[0-9]*; do echo $(ls $p/task | wc -l) $(tr '\\0' ' ' <$p/cmdline); done"
        told = self.inside(container, "sh", "-c", count).stdout.decode().splitlines()
        processes = [line.split() for line in told if line.split()[1:2] == ["fanfold"]]
        return sorted((words[2], int(words[0])) for words in processes)

    def test_AWorkerOfAnOlderProtocolIsRefusedWithASentence(self):
        self.start_root(keys=("--insecure",))
        old = self.run_container("old", "node", ROOT, options=("--entrypoint", "/plugins/stranger"))
        self.wait_until(lambda: self.state(old)["Status"] == "exited", "the old worker has ended")
        said = self.log(old)
        self.assertRegex(said, r'\ARefused \d+ 1 "old" speaks protocol 1, the root speaks \d+\. Run the same release')
        self.assertIn('refused "old", which speaks protocol 1', self.log(self.root))
        self.assertEqual(self.nodes(), {})


main(Fleet)
