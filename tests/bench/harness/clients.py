"""The clients that branches use, as programs: each puts or gets one file and ends."""

import pathlib
import subprocess

from .process import Failure, run

CIPHERS = {
    "aes256-gcm": "aes256-gcm@openssh.com",
    "aes128-gcm": "aes128-gcm@openssh.com",
    "chacha20": "chacha20-poly1305@openssh.com",
}
ROOT = pathlib.Path(__file__).parents[3]
RCLONE = ROOT / "target/venv/bin/rclone"


class Sftp:
    """OpenSSH's own."""

    name = "sftp"

    def batch(self, server, login, cipher, commands):
        run("sftp", "-q", "-b", "-", "-F", server.ssh_config(login, CIPHERS[cipher]), "bench", input=commands)

    def put(self, server, cipher, local, remote):
        self.batch(server, server.uploader, cipher, f"put {local} {remote}\n")

    def get(self, server, cipher, remote, local):
        self.batch(server, server.reader, cipher, f"get {remote} {local}\n")


class Rclone:
    """With its own SSH. Digests that servers make on request are off: OpenSSH's would read the file again for it."""

    name = "rclone"

    def copy(self, server, login, cipher, source, target):
        run(RCLONE, "copyto", "--config", "/dev/null", "--retries", "1", "--low-level-retries", "1", "--ignore-times",
            "--sftp-host", "127.0.0.1", "--sftp-port", server.port, "--sftp-user", login.user, "--sftp-key-file", login.key,
            "--sftp-ciphers", CIPHERS[cipher], "--sftp-key-exchange", "curve25519-sha256",
            "--sftp-disable-hashcheck", "--sftp-shell-type", "none", source, target)

    def put(self, server, cipher, local, remote):
        self.copy(server, server.uploader, cipher, local, f":sftp:{remote}")

    def get(self, server, cipher, remote, local):
        self.copy(server, server.reader, cipher, f":sftp:{remote}", local)


class Lftp:
    """With OpenSSH's `ssh` below."""

    name = "lftp"

    def script(self, server, login, cipher, command):
        config = server.ssh_config(login, CIPHERS[cipher])
        run("lftp", "--norc", "-c",
            f'set sftp:connect-program "ssh -a -x -F {config}"; set net:max-retries 1; set cmd:fail-exit true; '
            f"set xfer:clobber yes; set sftp:auto-confirm yes; open -u {login.user}, sftp://bench; {command}")

    def put(self, server, cipher, local, remote):
        self.script(server, server.uploader, cipher, f"put {local} -o {remote}")

    def get(self, server, cipher, remote, local):
        self.script(server, server.reader, cipher, f"get {remote} -o {local}")


CLIENTS = {client.name: client for client in (Sftp(), Rclone(), Lftp())}


def sftp_at_once(server, batches, folder, words=()):
    """Several of OpenSSH's clients at one time, each with its own lines; back when all have ended well."""
    config = server.ssh_config(server.uploader, CIPHERS["aes256-gcm"])
    running = []
    for number, lines in enumerate(batches):
        batch = folder / f"batch-{number}"
        batch.write_text("".join(lines))
        running.append(subprocess.Popen(["sftp", "-q", *words, "-b", str(batch), "-F", str(config), "bench"],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
    # Errors are few words, so no client waits for somebody to read them.
    for client in running:
        _, said = client.communicate()
        if client.returncode:
            raise Failure(f"a client of {server.name} ended with {client.returncode}: {said}")
