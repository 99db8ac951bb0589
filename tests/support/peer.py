"""The server's peer in Python: paramiko for what clients do, raw packets for what no client should."""

import hashlib
import os
import socket
import struct
import sys
import threading
import time

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

HOME = os.environ["HOME_FOLDER"]
PORT = int(os.environ["SERVER_PORT"])

# SFTP v3 packet types and status codes (draft-ietf-secsh-filexfer-02).
INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT, FSETSTAT, OPENDIR, READDIR = range(1, 13)
REMOVE, MKDIR, RMDIR, REALPATH, STAT, RENAME, READLINK, SYMLINK = range(13, 21)
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED, EXTENDED_REPLY = 101, 102, 103, 104, 105, 200, 201
OK, EOF, NO_SUCH_FILE, PERMISSION_DENIED, FAILURE, BAD_MESSAGE = range(6)
UNSUPPORTED = 8
READ_FLAG, WRITE_FLAG, APPEND_FLAG, CREAT_FLAG, TRUNC_FLAG, EXCL_FLAG = 1, 2, 4, 8, 16, 32


def key_of(user=None):
    """The private key of a person of the test."""
    path = os.environ["CLIENT_KEY"] if user is None else os.path.join(HOME, user + ".key")
    return paramiko.Ed25519Key.from_private_key_file(path)


def transport(user=None, key=None, timeout=60, **options):
    """A logged-in connection whose host key was compared with the server's."""
    raw = socket.create_connection(("127.0.0.1", PORT), timeout=timeout)
    made = paramiko.Transport(raw, **options)
    made.banner_timeout = made.handshake_timeout = made.auth_timeout = timeout
    made.start_client(timeout=timeout)
    shown = made.get_remote_server_key()
    expected = os.environ["SERVER_HOST_KEY"]
    if f"{shown.get_name()} {shown.get_base64()}" != expected:
        raise SystemExit("the host key isn't the server's")
    made.auth_publickey(user or os.environ["CLIENT_USER"], key or key_of(user))
    return made


def sftp(user=None, **options):
    """An SFTP session."""
    return paramiko.SFTPClient.from_transport(transport(user, **options))


def refused(call, *arguments):
    """Makes a call that must fail and gives the server's words."""
    try:
        call(*arguments)
    except (OSError, paramiko.SSHException) as error:
        return str(error)
    raise SystemExit(f"{call} {arguments} succeeded and shouldn't have")


def string(value):
    value = value.encode() if isinstance(value, str) else value
    return struct.pack(">I", len(value)) + value


class Raw:
    """An SFTP channel without a client: packets as the test wants them."""

    def __init__(self, connection=None, init=True):
        self.transport = connection or transport()
        self.channel = self.transport.open_session(timeout=30)
        self.channel.settimeout(30)
        self.channel.invoke_subsystem("sftp")
        self.next_id = 0
        if init:
            self.send(INIT, struct.pack(">I", 3))
            kind, body = self.receive()
            assert kind == VERSION and body[:4] == struct.pack(">I", 3), (kind, body)

    def send_bytes(self, data):
        self.channel.sendall(data)

    def send(self, kind, body):
        self.send_bytes(struct.pack(">IB", len(body) + 1, kind) + body)

    def ask(self, kind, body):
        """Sends a request under a fresh id and gives the answer to it."""
        self.next_id += 1
        self.send(kind, struct.pack(">I", self.next_id) + body)
        kind, answer = self.receive()
        (number,) = struct.unpack(">I", answer[:4])
        assert number == self.next_id, (kind, answer)
        return kind, answer[4:]

    def status(self, kind, body):
        """The status code that a request is answered with; None when it is answered with something else."""
        kind, answer = self.ask(kind, body)
        return struct.unpack(">I", answer[:4])[0] if kind == STATUS else None

    def open(self, path, flags=WRITE_FLAG | CREAT_FLAG | TRUNC_FLAG):
        kind, answer = self.ask(OPEN, string(path) + struct.pack(">II", flags, 0))
        if kind != HANDLE:
            code, length = struct.unpack(">II", answer[:8])
            raise OSError(code, answer[8 : 8 + length].decode())
        return answer[4:]

    def write(self, handle, offset, data):
        return self.status(WRITE, string(handle) + struct.pack(">Q", offset) + string(data))

    def close(self, handle):
        return self.status(CLOSE, string(handle))

    def receive(self):
        (length,) = struct.unpack(">I", self.exactly(4))
        assert 1 <= length <= 1 << 20, f"the server sent a packet of {length} bytes"
        packet = self.exactly(length)
        return packet[0], packet[1:]

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.channel.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def ended(self):
        """Whether the server closes the channel instead of going on."""
        try:
            while self.channel.recv(65536):
                pass
        except (socket.timeout, TimeoutError):
            return False
        return True

    def lives(self):
        """Whether the channel still answers."""
        kind, _ = self.ask(REALPATH, string("."))
        return kind == NAME


class SecurityKey(paramiko.PKey):
    """A FIDO Ed25519 key (OpenSSH's PROTOCOL.u2f) whose token is this program: always touched, counting up."""

    NAME = "sk-ssh-ed25519@openssh.com"

    def __init__(self, seed, application="ssh:", flags=0x01):
        self.private = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
        self.application = application
        self.flags = flags
        self.counter = 7
        self.public_blob = None

    @property
    def _fields(self):
        return (self.NAME, self.public_bytes(), self.application)

    def public_bytes(self):
        return self.private.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )

    def asbytes(self):
        return string(self.NAME) + string(self.public_bytes()) + string(self.application)

    def get_name(self):
        return self.NAME

    @property
    def algorithm_name(self):
        return self.NAME

    def can_sign(self):
        return True

    def sign_ssh_data(self, data, algorithm=None):
        self.counter += 1
        tail = struct.pack(">BI", self.flags, self.counter)
        signed = hashlib.sha256(self.application.encode()).digest() + tail + hashlib.sha256(data).digest()
        message = paramiko.Message()
        message.add_string(self.NAME)
        message.add_string(self.private.sign(signed))
        message.add_bytes(tail)
        return message
