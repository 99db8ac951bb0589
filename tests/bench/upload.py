#!/usr/bin/env python3
"""Upload throughput and server CPU of Muniment beside OpenSSH's own SFTP server, in one run, in pairs.

Both servers run on loopback, the client is OpenSSH's `sftp`, the file is the same. OpenSSH neither hashes nor encrypts at
rest nor syncs; Muniment does all three and commits before CLOSE is answered. Prints one row a pair, then medians.

usage: upload.py MUNIMENT_BINARY [--size-mb 1024] [--pairs 5] [--cipher aes256-gcm@openssh.com] [--dir FOLDER]
"""

import argparse
import json
import os
import pathlib
import shutil
import socket
import statistics
import struct
import subprocess
import tempfile
import time


def cpu_seconds(pid):
    """User and system time of a process and of its children that ended, in seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def make_video(path, size):
    """A recording that plays, filled up to `size` with random bytes in boxes that players pass over: the gate accepts it."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=320x240:r=10:d=75", "-f", "lavfi", "-i", "sine=d=75",
         "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags", "+faststart",
         str(path)], check=True)
    block = os.urandom(1 << 20)
    with open(path, "ab") as file:
        left = size - file.tell()
        file.write(struct.pack(">I4sQ", 1, b"free", left))
        left -= 16
        while left > 0:
            file.write(block[: min(left, len(block))])
            left -= len(block)


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options)


class OpenSsh:
    name = "openssh"

    def __init__(self, folder, key, cipher):
        self.root, self.port, self.user, self.key, self.cipher = folder / "openssh", free_port(), "root", key, cipher
        self.root.mkdir()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.root / "host"))
        shutil.copy(f"{key}.pub", self.root / "authorized")
        config = self.root / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.root}/host\nStrictModes no\nUsePAM no\n"
            f"AuthorizedKeysFile {self.root}/authorized\nPermitRootLogin yes\nPidFile none\n"
            "Subsystem sftp internal-sftp\n"
        )
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            ["/usr/sbin/sshd", "-D", "-f", str(config)], stderr=subprocess.DEVNULL
        )
        wait_for(self.port)

    def target(self, number):
        return f"{self.root}/upload-{number}.mp4"


class Muniment:
    name = "muniment"

    def __init__(self, folder, key, cipher, binary):
        vault = folder / "vault"
        self.port, self.user, self.key, self.cipher = free_port(), "bench", key, cipher
        self.vault = vault
        run(binary, "init", "--vault", str(vault), "--listen", f"127.0.0.1:{self.port}")
        config = str(vault / "muniment.toml")
        run(binary, "--config", config, "branch", "add", "0101", "--name", "bench")
        run(binary, "--config", config, "user", "add", "bench", "--role", "uploader", "--branch", "0101",
            "--key", f"{key}.pub", "--nda", "bench")
        self.process = subprocess.Popen(
            [binary, "--config", config, "serve"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(self.port)

    def target(self, number):
        return f"/inbox/000100012345_20260728_A{number:07d}_WVID_01.mp4"


def upload(server, video, number):
    batch = f"put {video} {server.target(number)}\n"
    before, start = cpu_seconds(server.process.pid), time.monotonic()
    run("sftp", "-q", "-b", "-", "-P", str(server.port), "-i", str(server.key), "-c", server.cipher,
        "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes",
        f"{server.user}@127.0.0.1", input=batch)
    seconds = time.monotonic() - start
    time.sleep(0.3)
    return seconds, cpu_seconds(server.process.pid) - before


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--size-mb", type=int, default=1024)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--cipher", default="aes256-gcm@openssh.com")
    parser.add_argument("--dir", help="where the servers keep their files (a tmpfs takes the disk out of the picture)")
    options = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(dir=options.dir))
    servers = []
    try:
        key, video = folder / "key", folder / "video.mp4"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        size = options.size_mb << 20
        servers = [OpenSsh(folder, key, options.cipher), Muniment(folder, key, options.cipher, options.binary)]
        gigabytes = size / 1e9
        results = {server.name: [] for server in servers}
        for number in range(options.pairs + 1):
            make_video(video, size + number)
            for server in servers:
                seconds, cpu = upload(server, video, number)
                if number:
                    results[server.name].append((size / 1e6 / seconds, cpu / gigabytes))
                    print(f"{server.name:10} pair {number}: {size / 1e6 / seconds:7.0f} MB/s  {cpu / gigabytes:5.2f} CPU s/GB",
                          flush=True)
            pathlib.Path(servers[0].target(number)).unlink()
        medians = {name: [statistics.median(column) for column in zip(*rows)] for name, rows in results.items()}
        pairs = list(zip(results["muniment"], results["openssh"]))
        print(json.dumps({
            "cipher": options.cipher, "size_mb": options.size_mb, "pairs": options.pairs,
            "openssh": {"mb_per_s": round(medians["openssh"][0]), "cpu_s_per_gb": round(medians["openssh"][1], 2)},
            "muniment": {"mb_per_s": round(medians["muniment"][0]), "cpu_s_per_gb": round(medians["muniment"][1], 2)},
            "throughput_ratio": round(statistics.median(ours[0] / theirs[0] for ours, theirs in pairs), 2),
            "cpu_ratio": round(statistics.median(ours[1] / theirs[1] for ours, theirs in pairs), 2),
        }))
    finally:
        for server in servers:
            server.process.terminate()
            server.process.wait()
        subprocess.run(["chattr", "-R", "-i", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
