"""The servers that are compared: OpenSSH's with either of its SFTP servers, and builds of Muniment.

OpenSSH is set up as it serves fastest: its user is root (no second process a session), no PAM, no limit on new connections.
Muniment is as `muniment init` makes it, but for its background inspection, which isn't part of an upload and would run into
the other server's turn.
"""

import collections
import json
import pathlib
import re
import shutil
import subprocess
import time

from .cost import counter, memory_bytes
from .people import Person, granted
from .process import free_port, run, wait_for

Login = collections.namedtuple("Login", "user key")


def make_key(path):
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path)
    return path


class Server:
    """A server on loopback that runs; `folder` is all it has. `uploader` puts files there, `reader` gets them."""

    def __init__(self, name, folder):
        self.name, self.folder, self.port = name, folder, free_port()
        folder.mkdir(parents=True)
        self.cost, self.process = counter(name.replace(" ", "-")), None

    def start(self, *command):
        with open(self.folder / "server.log", "wb") as log:
            self.process = subprocess.Popen(self.cost.started([str(word) for word in command]), stdout=log, stderr=log)
        self.cost.watch(self.process.pid)
        wait_for(self.port)

    def ssh_config(self, login, cipher=None):
        """A client configuration in which the server is called `bench`."""
        path = self.folder / f"ssh-{login.user}-{cipher}"
        path.write_text(
            f"Host bench\n  HostName 127.0.0.1\n  Port {self.port}\n  User {login.user}\n  IdentityFile {login.key}\n"
            f"  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  BatchMode yes\n"
            f"  LogLevel ERROR\n" + (f"  Ciphers {cipher}\n" if cipher else ""))
        return path

    def memory_bytes(self):
        return memory_bytes(self.cost.pids())

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
        self.cost.close()


class OpenSsh(Server):
    def __init__(self, name, folder, sftp_server):
        super().__init__(name, folder)
        self.uploader = self.reader = Login("root", make_key(folder / "key"))
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        make_key(folder / "host")
        config = folder / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nStrictModes no\nUsePAM no\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/key.pub\nPermitRootLogin yes\nMaxStartups 2000\nMaxSessions 100\n"
            f"LoginGraceTime 300\nUseDNS no\nPrintMotd no\nSubsystem sftp {sftp_server}\n")
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.start("/usr/sbin/sshd", "-D", "-e", "-f", config)

    def path(self, name):
        """Where a client puts a file of this name."""
        return f"{self.inbox}/{name}"

    def offer(self, file, name):
        """Where a client gets a file of this name."""
        shutil.copyfile(file, self.inbox / name)
        return self.path(name)

    def check(self, sizes):
        """What was uploaded since the last call is there as a whole. Sizes in bytes by name."""
        for name, size in sizes.items():
            found = (self.inbox / name).stat().st_size
            if found != size:
                raise SystemExit(f"{self.name} has {found} of {size} bytes of {name}")

    def discard(self):
        """Makes room."""
        for file in self.inbox.iterdir():
            file.unlink()


class Muniment(Server):
    def __init__(self, name, folder, binary, deep=False):
        super().__init__(name, folder)
        self.vault, self.binary, self.web = folder / "vault", str(binary), free_port()
        run(binary, "init", "--vault", self.vault, "--listen", f"127.0.0.1:{self.port}", "--console", f"127.0.0.1:{self.web}")
        self.config = self.vault / "muniment.toml"
        self.config.write_text(self.config.read_text() + '\n[retrieval]\nidentity = "keys/identity.age"\n')
        self.configure("deep", str(deep).lower())
        self.cli("branch", "add", "0101", "--name", "bench")
        self.uploader = self.add("clerk", "uploader", "--branch", "0101")
        self.serve()

    def serve(self):
        self.start(self.binary, "--config", self.config, "serve")
        # It says where it listens when everything is up, its control socket too.
        while b"listening on" not in (self.folder / "server.log").read_bytes():
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
            raise SystemExit(f"the configuration has {count} fields {field}")
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

    def offer(self, file, name):
        run("sftp", "-q", "-b", "-", "-F", self.ssh_config(self.uploader), "bench", input=f"put {file} {self.path(name)}\n")
        self.check({name: None})
        self.grant([name])
        customer, _, flow, doctype, rest = name.split("_")
        return f"/evidence/{customer}/{flow}/{doctype}-{int(rest.split('.')[0])}/v1/{name}"

    def check(self, sizes):
        sealed = self.evidence()
        for name in sizes:
            if name not in sealed or sealed[name]["state"] != "sealed":
                raise SystemExit(f"{self.name} didn't seal {name}: {sealed.get(name)}")

    def discard(self):
        """Makes room by taking sealed bodies away from below: nothing asks for them again."""
        bodies = [str(path) for path in self.vault.glob("objects/*/*/*/content")]
        for at in range(0, len(bodies), 500):
            subprocess.run(["chattr", "-f", "-i", *bodies[at:at + 500]], check=False, capture_output=True)
        for body in bodies:
            pathlib.Path(body).unlink()
