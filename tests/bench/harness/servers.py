"""The servers that are compared: OpenSSH's with either of its SFTP servers, and builds of Muniment.

OpenSSH is set up as it serves fastest: its user is root (no second process a session), no PAM, no limit on new connections.
Muniment is as `muniment init` makes it, but for its background inspection, which isn't part of an upload and would run into
the other server's turn, and for limits that are meant for one branch. Keys are exchanged by X25519 with both: each has another
post-quantum method, which only some clients know.
"""

import collections
import contextlib
import json
import os
import pathlib
import re
import shutil
import sqlite3
import subprocess
import threading
import time

from .clients import ROOT
from .cost import counter, memory_bytes, quiet
from .people import Person, granted
from .process import Failure, free_port, run, wait_for

Login = collections.namedtuple("Login", "user key")


def bench_program(name):
    """Builds a program of tests/bench, if need be. Gives its path."""
    ran = run("cargo", "bench", "--quiet", "--locked", "--no-run", "--bench", name, "--message-format", "json", cwd=ROOT)
    made = [json.loads(line) for line in ran.stdout.splitlines()]
    return next(each["executable"] for each in made if each.get("executable") and each["target"]["name"] == name)


def make_key(path):
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    return path


def put_aside(files, folder):
    """Empties files and moves them out of the way. They aren't removed, because ext4 steps over every inode that was freed in the
    last minute when it looks for a new one: whoever makes files next would pay for that."""
    folder.mkdir(exist_ok=True)
    taken = len(os.listdir(folder))
    for number, file in enumerate(files):
        os.truncate(file, 0)
        os.rename(file, folder / str(taken + number))


class Server:
    """A server on loopback that runs; `folder` is all it has. `uploader` puts files there, `reader` gets them."""

    def __init__(self, name, folder):
        self.name, self.folder, self.port = name, folder, free_port()
        folder.mkdir(parents=True)
        self.cost, self.process = counter(name.replace(" ", "-")), None

    def start(self, *command):
        command = self.cost.started([str(word) for word in command])
        # A session of its own, as services have.
        with open(self.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self.cost.watch(self.process.pid)
        wait_for(self.port)

    def ssh_config(self, login, cipher=None):
        """A client configuration in which the server is called `bench`."""
        path = self.folder / f"ssh-{login.user}-{cipher}"
        # Clients that start in the same moment must not read half of it.
        written = path.with_name(f"{path.name}-{threading.get_ident()}")
        written.write_text(
            f"Host bench\n  HostName 127.0.0.1\n  Port {self.port}\n  User {login.user}\n  IdentityFile {login.key}\n"
            f"  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  BatchMode yes\n"
            f"  LogLevel ERROR\n  KexAlgorithms curve25519-sha256\n" + (f"  Ciphers {cipher}\n" if cipher else ""))
        return written.replace(path)

    def memory_bytes(self):
        return memory_bytes(self.cost.pids())

    def backlog(self):
        """What a server has promised and still has to do."""
        return 0

    def settle(self, patience_s=120):
        """Waits until it has done everything. Gives its processor time by then, and how many seconds that took."""
        begun, took = time.monotonic(), 0
        while self.backlog():
            took = time.monotonic() - begun
            if took > patience_s:
                raise Failure(f"{self.name} still has something to do")
            time.sleep(0.05)
        return quiet(self.cost), took

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.cost.close()


class Plain(Server):
    """A server of one folder, for one user: files come from it as they lie."""

    def __init__(self, name, folder):
        super().__init__(name, folder)
        self.uploader = self.reader = Login("root", make_key(folder / "key"))
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        make_key(folder / "host")

    def offer(self, files):
        """Takes files in, by name, and gives the paths at which a client gets them."""
        for name, file in files.items():
            try:
                # On one file system nothing has to be there twice.
                os.link(file, self.inbox / name)
            except OSError:
                shutil.copyfile(file, self.inbox / name)
        return {name: self.path(name) for name in files}

    def mark(self):
        """What `check` goes from."""


class OpenSsh(Plain):
    def __init__(self, name, folder, sftp_server):
        super().__init__(name, folder)
        config = folder / "config"
        # A shell starts the SFTP server where it is a program; SHLVL keeps it from reading the user's own files, as it does for sshd.
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nStrictModes no\nUsePAM no\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/key.pub\nPermitRootLogin yes\nMaxStartups 2000\nMaxSessions 100\n"
            f"LoginGraceTime 300\nUseDNS no\nPrintMotd no\nSetEnv SHLVL=9\nSubsystem sftp {sftp_server}\n")
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", config)

    def path(self, name):
        """Where a client puts a file of this name."""
        return f"{self.inbox}/{name}"

    def check(self, sizes):
        """These files are there as a whole. Sizes in bytes by name."""
        for name, size in sizes.items():
            found = (self.inbox / name).stat().st_size
            if found != size:
                raise Failure(f"{self.name} has {found} of {size} bytes of {name}")

    def discard(self):
        """Makes room."""
        put_aside(list(self.inbox.iterdir()), self.folder / "aside")


class Transport(Plain):
    """Muniment's SSH and SFTP with nothing behind them: what is written is thrown away."""

    def __init__(self, name, folder):
        super().__init__(name, folder)
        self.start(bench_program("transport"), self.port, folder / "host", self.inbox)

    def path(self, name):
        return f"/{name}"

    def check(self, sizes):
        """Nothing is kept."""

    def discard(self):
        """Nothing is kept."""


class Muniment(Server):
    def __init__(self, name, folder, binary, deep=False):
        super().__init__(name, folder)
        self.vault, self.binary, self.web = folder / "vault", str(binary), free_port()
        run(binary, "init", "--vault", self.vault, "--listen", f"127.0.0.1:{self.port}", "--console", f"127.0.0.1:{self.web}")
        self.config = self.vault / "muniment.toml"
        self.config.write_text(self.config.read_text() + '\n[retrieval]\nidentity = "keys/identity.age"\n')
        self.configure("deep", str(deep).lower())
        for limit in ("max_connections", "max_connections_per_address", "max_waiting_per_person"):
            self.configure(limit, "1_000_000" if limit == "max_waiting_per_person" else "2_000")
        self.cli("branch", "add", "0101", "--name", "bench")
        self.uploader = self.add("clerk", "uploader", "--branch", "0101")
        self.serve()

    def serve(self):
        self.start(self.binary, "--config", self.config, "serve")
        # It says where it listens when everything is up, its control socket too.
        while b"listening on" not in (self.folder / "server.log").read_bytes():
            if self.process.poll() is not None:
                raise Failure(f"{self.name} ended: {(self.folder / 'server.log').read_text()}")
            time.sleep(0.02)
        self.cli("key", "unlock")

    def add(self, name, role, *words):
        login = Login(name, make_key(self.folder / f"key-{name}"))
        self.cli("user", "add", name, "--role", role, "--key", f"{login.key}.pub", "--nda", "bench", *words)
        return login

    def at_the_console(self, name):
        """A person who was invited, joined and signed in."""
        return Person(self, name, json.loads(self.cli("--json", "user", "invite", name))["code"]).sign_in()

    def grant(self, names):
        """Makes a reader, and a grant for files by the names they were uploaded under."""
        self.reader = self.add("reader", "retriever")
        self.add("approver", "approver")
        sealed = self.evidence()
        reader, approver = self.at_the_console("reader"), self.at_the_console("approver")
        granted(reader, approver, [sealed[name]["id"] for name in names], "export")

    def configure(self, field, value):
        """Sets a field that the configuration has."""
        text, count = re.subn(rf"(?m)^{field} = .*$", f"{field} = {value}", self.config.read_text())
        if count != 1:
            raise Failure(f"the configuration has {count} fields {field}")
        self.config.write_text(text)

    def cli(self, *words):
        return run(self.binary, "--config", self.config, *words).stdout

    def evidence(self):
        """Everything sealed, by the name it was uploaded under."""
        rows, after = {}, []
        while True:
            page = json.loads(self.cli("evidence", "list", "--limit", "1000", "--json", *after))
            rows |= {row["file_name"]: row for row in page["evidence"]}
            if not page.get("next"):
                return rows
            after = ["--after", page["next"]]

    def path(self, name):
        return f"/inbox/{name}"

    def offer(self, files):
        self.mark()
        lines = [f"put {file} {self.path(name)}\n" for name, file in files.items()]
        run("sftp", "-q", "-b", "-", "-F", self.ssh_config(self.uploader), "bench", input="".join(lines))
        self.settle()
        self.check(files)
        self.grant(files)
        return {name: self._granted_path(name) for name in files}

    def _granted_path(self, name):
        customer, _, flow, doctype, rest = name.split("_")
        return f"/evidence/{customer}/{flow}/{doctype}-{int(rest.split('.')[0])}/v1/{name}"

    def _catalogue(self, question):
        with contextlib.closing(sqlite3.connect(f"file:{self.vault}/catalog.db?mode=ro", uri=True)) as catalogue:
            return catalogue.execute(question).fetchone()[0]

    def backlog(self):
        """Sealed files that aren't in their places yet, and uploads whose inspection outlasted their client."""
        placements = self._catalogue("SELECT count(*) FROM placement")
        return placements + self._catalogue("SELECT count(*) FROM accession WHERE state = 'received' AND reason = 'inspecting'")

    def log_size(self):
        """Entries of the custody log."""
        return self._catalogue("SELECT max(leaf_index) + 1 FROM event")

    def mark(self):
        self.marked = self.log_size()

    def check(self, sizes):
        """All are sealed; those whose names say nothing are committed as uploads that wait for a manifest."""
        entries = self.log_size() - self.marked
        if entries < len(sizes):
            raise Failure(f"{self.name} committed {entries} of {len(sizes)} uploads")
        named = [name for name in sizes if not name.startswith("scan-")]
        sealed = self.evidence() if named else {}
        for name in named:
            if name not in sealed or sealed[name]["state"] != "sealed":
                raise Failure(f"{self.name} didn't seal {name}: {sealed.get(name)}")

    def discard(self):
        """Makes room by taking bodies away from below, sealed and waiting ones: nothing asks for them again."""
        bodies = [str(path) for path in self.vault.glob("objects/*/*/*/content")]
        bodies += [str(path) for path in self.vault.glob("staging/*") if not path.suffix]
        for at in range(0, len(bodies), 500):
            subprocess.run(["chattr", "-f", "-i", *bodies[at:at + 500]], check=False, capture_output=True)
        put_aside(bodies, self.folder / "aside")
