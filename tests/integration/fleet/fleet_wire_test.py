#!/usr/bin/env python3
"""A fleet whose ports are attacked while a run goes on: the run gives the twin's bytes, the root's memory stays within
its bound, and what was done is counted in /metrics."""
import re
import resource
import socket
import urllib.request

from fleet_harness import *
from wire_peers import *

LINKS = 300  # half-open at once, at each port
# What a root may grow by under all that is done here (docs/security.md); attackers send many times that.
GROWTH_BYTES_MAX = 48 << 20


def port_of(address):
    return int(address.strip().rsplit(":", 1)[1])


class FleetWire(FleetTest):
    def setUp(self):
        super().setUp()
        # What a sanitizer keeps of freed memory would count as the root's.
        self.environment["ASAN_OPTIONS"] += ":quarantine_size_mb=1"
        self.relays = []
        self.held = []
        self.strangers = []

    def tearDown(self):
        for end in [*self.relays, *self.held]:
            end.close()
        for stranger in self.strangers:
            stranger.kill()
        super().tearDown()

    # ---- the fleet -----------------------------------------------------------------------------

    def free_port(self, host=HOST):
        with socket.socket() as probe:
            probe.bind((host, 0))
            return probe.getsockname()[1]

    def make_keys(self, *more):
        self.keys = self.folder / "keys"
        for arguments in (("root",), ("worker", "w0"), ("worker", "w1"), ("client", "ann"), *more):
            self.done("keygen", *arguments, "--keys", self.keys)

    def start_wired(self, keys=False, root_flags=(), worker_root=None):
        self.gather_port = self.free_port()
        flags = ["--keys", self.keys] if keys else []
        self.start_root("--http", f"{HOST}:0", "--gather-ports", f"{self.gather_port}-{self.gather_port}", *flags, *root_flags)
        self.root_port = port_of(self.url)
        self.root_http = port_of(self.says(self.root, "/healthz"))
        if worker_root is not None:
            self.url = worker_root()
        if keys:
            self.environment["FANFOLD_KEYS"] = str(self.keys)
        self.workers = [self.start_worker(name, 2, "--http", f"{HOST}:0", *(["--key-name", name] if keys else []))
                        for name in ("w0", "w1")]
        self.worker_http = port_of(self.says(self.workers[0], "/healthz"))
        if keys:
            self.environment["FANFOLD_KEY_NAME"] = "ann"

    def metrics(self, port=None):
        text = ""
        # Where links are too many, this one is among those turned away.
        def get():
            nonlocal text
            try:
                with urllib.request.urlopen(f"http://{HOST}:{port or self.root_http}/metrics", timeout=TIMEOUT_S) as answer:
                    text = answer.read().decode()
            except OSError:
                return False
            return True
        self.wait_until(get, "/metrics answers")
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}

    def counted(self, name, listener="root", reason=None):
        labels = f'listener="{listener}"' + (f',reason="{reason}"' if reason else "")
        return self.metrics()[f"{name}{{{labels}}}"]

    def wait_for_count(self, number, *arguments, **options):
        self.wait_until(lambda: self.counted(*arguments, **options) >= number, f"{number} of {arguments} {options} are counted")

    def peak_bytes(self, process):
        return int(re.search(r"VmHWM:\s+(\d+) kB", open(f"/proc/{process.pid}/status").read())[1]) * 1024

    def unharmed(self, attack, shards=500):
        """A run is under way when the attack begins, and gives the twin's bytes; the root's memory is bounded."""
        arguments = self.slow(shards)
        run = self.start_at_root("run", *arguments, "--format", "csv")
        self.wait_until(lambda: any(node["slots_used"] > 0 for node in self.nodes().values()), "the run runs")
        before = self.peak_bytes(self.root)
        attack()
        out, error = run.communicate(timeout=TIMEOUT_S)
        self.assertEqual(run.returncode, 0, error.decode(errors="replace"))
        self.assertEqual(out, self.twin(*self.slow(shards, 0), "--format", "csv"))
        self.assertLess(self.peak_bytes(self.root) - before, GROWTH_BYTES_MAX)
        self.assertIsNone(self.root.poll())

    def stranger(self, *arguments):
        process = subprocess.Popen([STRANGER, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.started.append(process)
        self.strangers.append(process)
        return process

    # ---- without keys --------------------------------------------------------------------------

    def test_GarbageAtEveryPortInMidRunHarmsNothingAndIsCounted(self):
        self.start_wired()

        def attack():
            for port in (self.root_port, self.gather_port, self.root_http, self.worker_http):
                for data in garbage(port % 7):
                    tell(port, data)
        self.unharmed(attack)
        for listener in ("root", "gatherer"):
            self.wait_for_count(10, "fanfold_handshakes_failed_total", listener, "protocol")
            self.assertGreaterEqual(self.counted("fanfold_links_accepted_total", listener), 40)
        for port in (self.root_http, self.worker_http):
            told = self.metrics(port)
            self.assertGreater(told['fanfold_http_links_dropped_total{reason="no_request"}']
                               + told.get('fanfold_http_requests_total{code="400"}', 0), 10)
        self.says(self.root, "does not speak our protocol")
        self.stop_fleet()

    def test_FramesAndMessagesThatAreNoneInMidRunHarmNothingAndAreCounted(self):
        self.start_wired()

        def attack():
            for port in (self.root_port, self.gather_port):
                for body in NO_FRAMES:
                    with keyless(port) as peer:
                        peer.sendall(zmtp_frame(body))
                for number, message in enumerate(NO_MESSAGES):
                    with keyless(port) as peer:
                        peer.sendall(zmtp_frame(frame([message], bytes([number + 1]) * 16)))
                        peer.sendall(zmtp_frame(frame([b"late"], bytes([number + 101]) * 16, first_seq=9)))
                # More than a frame may have, announced and sent in part; and parts without an end.
                with keyless(port) as peer:
                    peer.sendall(b"\x02" + struct.pack(">Q", 1 << 62) + bytes(1 << 16))
                with keyless(port) as peer:
                    peer.sendall(zmtp_frame(b"part", more=True) * 1000 + zmtp_frame(b"last"))
        self.unharmed(attack)
        for listener in ("root", "gatherer"):
            self.wait_for_count(len(NO_FRAMES), "fanfold_frames_rejected_total", listener, "malformed")
            self.wait_for_count(len(NO_MESSAGES), "fanfold_frames_rejected_total", listener, "malformed_message")
            self.wait_for_count(len(NO_MESSAGES), "fanfold_frames_rejected_total", listener, "unknown_session")
        told = [line for line in self.root.said if "sent what is no frame" in line]
        self.assertEqual(len(told), 2, f"once by the root, once by the gatherer: {told}")
        self.assertIn(HOST, told[0])
        self.stop_fleet()

    def test_AFloodOfHalfOpenLinksInMidRunHarmsNothingAndIsCounted(self):
        self.start_wired()

        def attack():
            beginnings = [b"", greeting()[:11], greeting(), greeting() + b"\x04", greeting() + b"\x06" + struct.pack(">Q", 1 << 28)]
            for port in (self.root_port, self.gather_port, self.root_http, self.worker_http):
                for number in range(LINKS):
                    peer = link(port)
                    self.held.append(peer)
                    peer.sendall(beginnings[number % len(beginnings)])
        self.unharmed(attack)
        # Those that the gatherer had are gone with it; the root gives its own up by itself.
        self.wait_for_count(LINKS // 2, "fanfold_handshakes_failed_total", "root", "timeout")
        for listener in ("root", "gatherer"):
            self.assertGreaterEqual(self.counted("fanfold_links_accepted_total", listener), LINKS)
        self.assertGreater(self.metrics(self.worker_http)['fanfold_http_links_dropped_total{reason="too_many"}'], 0)
        self.done_at_root("ps")
        self.stop_fleet()

    def test_HandshakesThatAreLargerThanAnyFrameAreCutBeforeTheyAreHeld(self):
        self.start_wired()

        def attack():
            for port in (self.root_port, self.gather_port):
                for _ in range(10):  # as much as may be, and no more of it comes
                    peer = link(port)
                    self.held.append(peer)
                    peer.sendall(greeting() + b"\x06" + struct.pack(">Q", 1 << 20) + b"\x05READY" + bytes(1_000_000))
                for size in (2 << 20, 64 << 20, 1 << 40):
                    with link(port) as peer:
                        peer.sendall(greeting())
                        with self.assertRaises(OSError):
                            peer.sendall(b"\x06" + struct.pack(">Q", size) + b"\x05READY")
                            for _ in range(256):
                                peer.sendall(bytes(1 << 20))
        self.unharmed(attack)
        self.stop_fleet()

    def test_ARootThatMayOpenNoMoreFilesLivesAndSaysSo(self):
        self.start_wired(root_flags=["--workers-max", 2, "--results", self.folder])
        limit = len(os.listdir(f"/proc/{self.root.pid}/fd")) + 60
        resource.prlimit(self.root.pid, resource.RLIMIT_NOFILE, (limit, limit))
        for _ in range(80):
            self.held.append(link(self.root_port))
        self.wait_until(lambda: any("may open no more files" in line for line in self.root.said), "it says so")
        for peer in self.held:
            peer.close()
        self.held = []
        self.unharmed(lambda: None, 40)
        self.wait_for_count(1, "fanfold_handshakes_failed_total", "root", "no_descriptor")
        self.stop_fleet()

    def test_PeersThatAreRefusedAreCountedByReason(self):
        self.start_wired(root_flags=["--workers-max", 2])
        self.assertEqual(self.stranger("node", self.url).wait(timeout=TIMEOUT_S), 0)
        self.assertEqual(self.at_root("worker", "--slots", 1).returncode, 5)
        self.wait_until(lambda: self.metrics()['fanfold_peers_refused_total{reason="version"}'] == 1, "the version is counted")
        self.wait_until(lambda: self.metrics()['fanfold_peers_refused_total{reason="capacity"}'] == 1, "one too many is counted")
        self.stop_fleet()

    # ---- with keys -----------------------------------------------------------------------------

    def test_WithoutAKeyNothingIsHeardInMidRunAndItIsCounted(self):
        self.make_keys()
        self.start_wired(keys=True)

        def attack():
            for port in (self.root_port, self.gather_port):
                for data in garbage(port % 7):
                    tell(port, data)
                with self.assertRaises(OSError):
                    keyless(port)
                for number in range(LINKS):
                    peer = link(port)
                    self.held.append(peer)
                    peer.sendall(greeting(b"CURVE")[:number % 65])
        self.unharmed(attack)
        for listener in ("root", "gatherer"):
            self.wait_for_count(10, "fanfold_handshakes_failed_total", listener, "protocol")
            self.assertGreaterEqual(self.counted("fanfold_links_accepted_total", listener)
                                    - self.counted("fanfold_links_established_total", listener), LINKS)
            for reason in ("malformed", "malformed_message"):
                self.assertEqual(self.counted("fanfold_frames_rejected_total", listener, reason), 0, "nobody came so far")
        self.stop_fleet()

    def test_AWrongKeyAndAWrongRoleAreRefusedInMidRunAndCounted(self):
        self.make_keys()
        strangers = self.folder / "strangers"
        self.done("keygen", "worker", "other", "--keys", strangers)
        (strangers / "root.pub").write_bytes((self.keys / "root.pub").read_bytes())
        (self.folder / "as-client").mkdir(mode=0o700)
        for name in ("root.pub", "w1.key"):
            (self.folder / "as-client" / name).write_bytes((self.keys / name).read_bytes())
        secret = self.folder / "as-client" / "w1.key"
        secret.write_text(secret.read_text().replace(" worker ", " client "))
        secret.chmod(0o600)
        self.start_wired(keys=True)
        gatherer = f"tcp://{HOST}:{self.gather_port}"

        def attack():
            wrong = self.stranger("chatter", self.url, strangers, "worker", "other")
            wrong_there = self.stranger("chatter", gatherer, strangers, "worker", "other")
            client_there = self.stranger("chatter", gatherer, self.keys, "client", "ann")
            for refused in (wrong, wrong_there, client_there):
                self.assertEqual(refused.wait(timeout=TIMEOUT_S), 3, "it is told that its key is not admitted")
            asked = self.at_root("ps", "--keys", self.folder / "as-client", "--key-name", "w1")
            self.assertEqual(asked.returncode, 5, asked.stderr)
        self.unharmed(attack)
        self.wait_for_count(1, "fanfold_links_refused_total")
        self.wait_for_count(2, "fanfold_links_refused_total", "gatherer")
        self.wait_for_count(1, "fanfold_roles_refused_total")
        self.says(self.root, 'the worker "w1" at 127.0.0.1 has a key of another role')
        self.stop_fleet()

    def test_AnAdmittedKeyThatTalksNonsenseIsCountedAndNamedOnce(self):
        self.make_keys(("worker", "odd"))
        self.start_wired(keys=True)

        def attack():
            for endpoint in (self.url, f"tcp://{HOST}:{self.gather_port}"):
                self.stranger("chatter", endpoint, self.keys, "worker", "odd")
            for listener in ("root", "gatherer"):
                for reason in ("malformed", "malformed_message"):
                    self.wait_for_count(10, "fanfold_frames_rejected_total", listener, reason)
        self.unharmed(attack)
        told = [line for line in self.root.said if 'the worker "odd" at 127.0.0.1 sent what is no frame' in line]
        self.assertEqual(len(told), 2, f"once by the root, once by the gatherer: {told}")
        self.stop_fleet()

    def test_AKeyThatIsRevokedInMidRunIsNotHeardThoughItTalksOn(self):
        self.make_keys(("worker", "odd"))
        self.start_wired(keys=True)

        def attack():
            self.stranger("chatter", self.url, self.keys, "worker", "odd")
            self.wait_for_count(1, "fanfold_frames_rejected_total", "root", "malformed")
            (self.keys / "odd.pub").unlink()
            self.wait_for_count(10, "fanfold_frames_rejected_total", "root", "revoked_key")
        self.unharmed(attack)
        self.says(self.root, "key was revoked")
        self.stop_fleet()

    def test_ARepeatedHandshakeOpensNothingInMidRun(self):
        self.make_keys()
        self.start_wired(keys=True)
        relay = Relay((HOST, self.root_port))
        self.relays.append(relay)
        self.done("ps", "--root", f"tcp://{HOST}:{relay.port}")
        greeting_said, hello_said, initiate_said = handshake_of(b"".join(relay.sent[0]))

        def repeat(port):
            with link(port) as peer:
                peer.sendall(greeting_said)
                receive_exactly(peer, GREETING_BYTES)
                peer.sendall(hello_said)
                receive_exactly(peer, WELCOME_BYTES)
                peer.sendall(initiate_said)
                try:
                    self.assertEqual(peer.recv(1), b"", "nothing is said to a handshake that was recorded")
                except OSError:
                    pass

        def attack():
            before = {listener: self.counted("fanfold_handshakes_failed_total", listener, "protocol")
                      for listener in ("root", "gatherer")}
            for port in (self.root_port, self.gather_port):
                for _ in range(5):
                    repeat(port)
            # Each of them failed, so none of them was made.
            for listener, failed in before.items():
                self.wait_for_count(failed + 5, "fanfold_handshakes_failed_total", listener, "protocol")
        self.unharmed(attack)
        self.stop_fleet()

    # ---- an eavesdropper -----------------------------------------------------------------------

    def overheard(self, keys):
        """All that passes between client, workers, root and gatherer of a run over a text with a mark in it."""
        mark = b"averysecretword"
        path = self.file("averysecretpath", many_words(60_000) + (mark + b"\n") * 50)

        def relayed():
            # The root tells workers that gatherers are at another address of this machine: the relay's.
            self.relays = [Relay((HOST, self.root_port)), Relay((HOST, self.gather_port), ("127.0.0.2", self.gather_port))]
            return f"tcp://{HOST}:{self.relays[0].port}"
        self.start_wired(keys, ["--advertise", "127.0.0.2"], relayed)
        arguments = ["wordcount", path, "--format", "csv", "--shard-bytes", "256KiB"]
        self.assertEqual(self.done_at_root("run", *arguments), self.twin(*arguments))
        self.stop_fleet()
        heard = [relay.heard() for relay in self.relays]
        for bytes_of_one in heard:
            self.assertGreater(len(bytes_of_one), 10_000)
        return [[word in bytes_of_one for word in (mark, b"averysecretpath", b"wordcount")] for bytes_of_one in heard]

    def test_AnEavesdropperHearsEverythingWithoutKeys(self):
        at_root, at_gatherer = self.overheard(keys=False)
        self.assertEqual(at_root, [True, True, True])
        self.assertTrue(at_gatherer[0])

    def test_AnEavesdropperHearsNothingWithKeys(self):
        self.make_keys()
        self.assertEqual(self.overheard(keys=True), [[False, False, False]] * 2)


main(FleetWire)
