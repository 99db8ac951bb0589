"""An SFTP client that costs less than the servers: libssh2 below, SFTP packets by hand, one request at a time.

OpenSSH's own client takes longer to start and to exchange keys than a server to answer, so it can't say how many log-ins
a server is good for.
"""

import socket
import struct

from ssh2 import session as libssh2

from .process import Failure

OPEN, CLOSE, READ, WRITE, STATUS, HANDLE, DATA = 3, 4, 5, 6, 101, 102, 103
READING, WRITING = 0x01, 0x02 | 0x08 | 0x10
PIECE_BYTES = 32 * 1024


def _text(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(value)) + value


class Light:
    """A session with an open SFTP channel."""

    def __init__(self, server, login):
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # libssh2 waits by itself.
        self.socket.settimeout(None)
        self.session = libssh2.Session()
        self.session.method_pref(libssh2.LIBSSH2_METHOD_KEX, "curve25519-sha256")
        for direction in (libssh2.LIBSSH2_METHOD_CRYPT_CS, libssh2.LIBSSH2_METHOD_CRYPT_SC):
            self.session.method_pref(direction, "aes256-gcm@openssh.com")
        self.session.handshake(self.socket)
        self.session.userauth_publickey_fromfile(login.user, str(login.key), "", f"{login.key}.pub")
        self.channel = self.session.open_session()
        self.channel.subsystem("sftp")
        self.number = 0
        self._send(struct.pack(">BI", 1, 3))
        if self._receive()[0] != 2:
            raise Failure("that isn't SFTP")

    def _send(self, packet):
        packet = struct.pack(">I", len(packet)) + packet
        while packet:
            _, written = self.channel.write(packet)
            packet = packet[written:]

    def _take(self, length):
        parts = []
        while length:
            count, data = self.channel.read(length)
            if count <= 0:
                raise Failure("the server ended the channel")
            parts.append(data)
            length -= len(data)
        return b"".join(parts)

    def _receive(self):
        return self._take(struct.unpack(">I", self._take(4))[0])

    def ask(self, kind, body):
        """Sends a request and takes its answer: kind, and what follows the number."""
        self.number += 1
        self._send(struct.pack(">BI", kind, self.number) + body)
        answer = self._receive()
        return answer[0], answer[5:]

    def _must(self, kind, body, wanted):
        got, rest = self.ask(kind, body)
        if got != wanted or (got == STATUS and rest[:4] != bytes(4)):
            raise Failure(f"request {kind} was answered by {got}: {rest[:200]!r}")
        return rest

    def open(self, path, how):
        rest = self._must(OPEN, _text(path) + struct.pack(">II", how, 0), HANDLE)
        return rest[4:]

    def read(self, handle, offset, length):
        return self._must(READ, _text(handle) + struct.pack(">QI", offset, length), DATA)[4:]

    def write(self, handle, offset, data):
        self._must(WRITE, _text(handle) + struct.pack(">Q", offset) + _text(data), STATUS)

    def close(self, handle):
        self._must(CLOSE, _text(handle), STATUS)

    def put(self, path, data):
        """Writes a file but for its CLOSE, and gives the handle."""
        handle = self.open(path, WRITING)
        for offset in range(0, len(data), PIECE_BYTES):
            self.write(handle, offset, data[offset:offset + PIECE_BYTES])
        return handle

    def end(self):
        """Says goodbye. libssh2's objects go first: they would write to whoever gets this file descriptor next."""
        self.session.disconnect()
        self.socket.shutdown(socket.SHUT_RDWR)
        self.channel = self.session = None
        self.socket.close()
