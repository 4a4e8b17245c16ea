"""A TCP proxy that can cut connections, and hold what passes to stop a service at an exact point.

It forwards everything, frame by frame, until `wanted` says that it has come to the point: that frame,
and what follows it in the same direction of the same connection, is held until release().
SPDX-License-Identifier: Apache-2.0
"""
import socket
import struct
import threading

REQUEST, REPLY = "request", "reply"


def chunks(data):
    """Whatever came at once: good enough for a client that waits for its answers, as of Redis."""
    return [data], b""


def kafka_frames(data):
    """Whole frames of the Kafka protocol, each with its length, and what is left."""
    frames = []
    while len(data) >= 4 and len(data) >= 4 + struct.unpack(">i", data[:4])[0]:
        end = 4 + struct.unpack(">i", data[:4])[0]
        frames.append(data[:end])
        data = data[end:]
    return frames, data


def shut(one):
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


class Proxy:
    """Listens on a free port of 127.0.0.1; target is a port there, which may be set later."""

    def __init__(self, target=None, split=chunks):
        self.target, self.split = target, split
        self.wanted = None  # wanted(connection, way, frame): whether this is the point
        self.held, self.free = threading.Event(), threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.keeps = False
        self.seen = []  # (connection, way, frame) while it keeps what passes: from the point on
        self.sockets = set()
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        number = 0
        while True:
            client, _ = self.listener.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            number += 1
            for way, source, sink in ((REQUEST, client, server), (REPLY, server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.sockets.add(source)
                threading.Thread(target=self.pump, args=(number, way, source, sink),
                                 daemon=True).start()

    def pump(self, connection, way, source, sink):
        rest = b""
        try:
            while data := source.recv(1 << 16):
                frames, rest = self.split(rest + data)
                for frame in frames:
                    self.pass_on(connection, way, frame, sink)
        except OSError:
            pass
        shut(source)
        shut(sink)
        self.sockets.discard(source)
        source.close()

    def pass_on(self, connection, way, frame, sink):
        if self.wanted is not None and self.wanted(connection, way, frame):
            self.wanted = None
            self.keeps = True
            self.seen.append((connection, way, frame))
            self.held.set()
            self.free.wait()
        elif self.keeps:
            self.seen.append((connection, way, frame))
        sink.sendall(frame)

    def keep(self):
        """From now on, what passes is in `seen`."""
        self.seen.clear()
        self.keeps = True

    def hold(self, wanted):
        """Holds at the first frame for which wanted(connection, way, frame) is true."""
        self.seen.clear()
        self.keeps = False
        self.held.clear()
        self.free.clear()
        self.wanted = wanted

    def release(self):
        self.free.set()

    def cut(self):
        """Ends every connection at once."""
        for one in list(self.sockets):
            shut(one)
