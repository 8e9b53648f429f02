"""Who attacks a fleet's ports: raw links, peers that speak ZMTP (RFC 23) without a key, frames and messages that are
none, and a relay that hears and keeps what passes."""
import random
import socket
import struct
import threading

HOST = "127.0.0.1"


def greeting(mechanism=b"NULL"):
    return b"\xff" + bytes(8) + b"\x7f\x03\x00" + mechanism.ljust(20, b"\0") + bytes(32)


def zmtp_frame(body, more=False, command=False):
    flags = (1 if more else 0) | (2 if len(body) > 255 else 0) | (4 if command else 0)
    length = struct.pack(">Q", len(body)) if len(body) > 255 else bytes([len(body)])
    return bytes([flags]) + length + body


def ready():
    return zmtp_frame(b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER", command=True)


def frame(messages, incarnation, first_seq=1, epoch=bytes(16)):
    """A sound frame of ours (docs/design/wire.md) around messages that may be none."""
    packed = b"".join(b"\xc6" + struct.pack(">I", len(message)) + message for message in messages)
    return (b"\x98\xc4\x10" + epoch + b"\xc4\x10" + incarnation + bytes([first_seq, 0, 1, 0, 0, 0x90 | len(messages)])
            + packed)


def link(port):
    peer = socket.create_connection((HOST, port), timeout=20)
    peer.settimeout(20)
    return peer


def tell(port, data):
    """Says it and goes; whether the other end has closed before is its affair."""
    with link(port) as peer:
        try:
            peer.sendall(data)
        except OSError:
            pass


def keyless(port):
    """A peer without a key whose handshake is done."""
    peer = link(port)
    peer.sendall(greeting() + ready())
    received = b""
    while b"READY" not in received:
        more = peer.recv(4096)
        if not more:
            raise ConnectionError("the handshake was refused")
        received += more
    return peer


def garbage(seed, count=40):
    """Byte strings of many lengths and kinds, the same for a seed."""
    rng = random.Random(seed)
    for at in range(count):
        yield [rng.randbytes(rng.choice([1, 9, 64, 300, 5000, 70_000])), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff" * 500,
               bytes(500), greeting() + rng.randbytes(300), greeting(b"CURVE") + rng.randbytes(300)][at % 6]


# What is no frame, and what is no message: truncated, of another type, huge counts and lengths, deep nesting.
NO_FRAMES = [b"", b"\x00", b"\x98", b"\xc1" * 40, b"\x91" * 50_000, b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff" * 9,
             frame([b"x"], b"i" * 16)[:-1], frame([b"x"], b"i" * 16) + b"y", frame([], bytes(16))]
NO_MESSAGES = [b"", b"\x00", b"\x91\xcc\xff", b"\x91" * 50_000, b"\xdd\xff\xff\xff\xff", b"\x93\x01\xdd\xff\xff\xff\xff",
               b"\x92\x27\xdb\xff\xff\xff\xff", b"\x94\x07\xc4\x10" + bytes(16)]


# Of ZMTP 3 with CURVE: what a server says to a greeting, and to a HELLO.
GREETING_BYTES = 64
WELCOME_BYTES = 170


def handshake_of(said):
    """Greeting, HELLO and INITIATE of a client whose bytes these are."""
    parts, rest = [said[:GREETING_BYTES]], said[GREETING_BYTES:]
    for _ in ("HELLO", "INITIATE"):
        size = 2 + rest[1] if rest[0] == 0x04 else 9 + struct.unpack(">Q", rest[1:9])[0]
        parts.append(rest[:size])
        rest = rest[size:]
    return parts


def receive_exactly(peer, size):
    received = b""
    while len(received) < size:
        more = peer.recv(size - len(received))
        if not more:
            raise ConnectionError("the handshake was broken off")
        received += more


class Relay:
    """Passes bytes between whoever connects here and a port, both ways, and keeps them."""

    def __init__(self, to, at=(HOST, 0)):
        self.to = to
        self.sent, self.answered = [], []  # a list of pieces a link
        self.listener = socket.create_server(at)
        self.port = self.listener.getsockname()[1]
        self.links = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(self.to)
            except OSError:
                near.close()
                continue
            self.links += [near, far]
            for source, target, kept in ((near, far, self.sent), (far, near, self.answered)):
                pieces = []
                kept.append(pieces)
                threading.Thread(target=self.pass_on, args=(source, target, pieces), daemon=True).start()

    def pass_on(self, source, target, pieces):
        try:
            while piece := source.recv(65536):
                pieces.append(piece)
                target.sendall(piece)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def heard(self):
        return b"".join(piece for kept in (self.sent, self.answered) for pieces in kept for piece in pieces)

    def close(self):
        for end in [self.listener, *self.links]:
            end.close()
