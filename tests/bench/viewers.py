#!/usr/bin/env python3
"""Two hundred people watching beside twenty who upload; and how soon a large recording shows its first picture.

Each viewer plays another piece of evidence through the console, over TLS and under a grant of their own, at a fixed rate with a
player's buffer; a stall is a moment when the player has nothing to show. Meanwhile OpenSSH's `sftp` uploads, one after another in
each of the uploaders. Then a 2 GB MP4 is opened, once with its index in front and once at its end: from asking for the page to
having the first sample's bytes, by ranges as a browser asks for them. Prints one JSON object.

usage: viewers.py MUNIMENT_BINARY [--viewers 200] [--mbit 2] [--uploaders 20] [--seconds 60] [--large-mb 2048] [--dir FOLDER]
"""

import argparse
import contextlib
import json
import pathlib
import re
import statistics
import struct
import subprocess
import threading
import time

from harness.cost import cpu_seconds
from harness.media import boxes, filled
from harness.people import Person, granted
from harness.process import folder_of_our_own, free_port, run

PER_PERSON = 10
"""Readings that one person has open at one time."""
START_S, AHEAD_S = 2, 10
"""Seconds of playback that a player wants before it begins, and that it keeps ready at the most."""


def make_clip(path, seconds, bits_per_second):
    """A recording of about this rate, with its index in front."""
    rate = str(bits_per_second - 64_000)
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s=640x360:r=25:d={seconds}", "-f", "lavfi", "-i",
         f"sine=d={seconds}", "-c:v", "libx264", "-preset", "ultrafast", "-b:v", rate, "-minrate", rate, "-maxrate", rate,
         "-bufsize", rate, "-x264-params", "nal-hrd=cbr", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k",
         "-movflags", "+faststart", str(path)], check=True)


class Vault:
    """A served vault with a console, the key unlocked, and people."""

    def __init__(self, folder, binary):
        self.folder, self.binary = folder, binary
        self.vault, self.key = folder / "vault", folder / "key"
        self.port, web = free_port(), free_port()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key))
        run(binary, "init", "--vault", str(self.vault), "--listen", f"127.0.0.1:{self.port}", "--console", f"127.0.0.1:{web}")
        config = self.vault / "muniment.toml"
        config.write_text(config.read_text() + '\n[retrieval]\nidentity = "keys/identity.age"\n')
        self.cli("branch", "add", "0101", "--name", "bench")
        self.cli("user", "add", "clerk", "--role", "uploader", "--branch", "0101", "--key", f"{self.key}.pub", "--nda", "bench")
        self.log = open(folder / "server.log", "wb")
        self.process = subprocess.Popen([binary, "--config", str(config), "serve"], stdout=self.log, stderr=self.log)
        # It says where it listens when everything is up, its control socket too.
        for _ in range(200):
            if b"listening on" in (folder / "server.log").read_bytes():
                break
            time.sleep(0.05)
        self.cli("key", "unlock")
        self.web = web

    def cli(self, *words):
        return run(self.binary, "--config", str(self.vault / "muniment.toml"), *words).stdout

    def add(self, name, role):
        key = self.folder / f"key-{name}"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        self.cli("user", "add", name, "--role", role, "--key", f"{key}.pub", "--nda", "bench")
        return json.loads(self.cli("--json", "user", "invite", name))["code"]

    def sftp(self, batch, limit_kbit=None):
        limit = ["-l", str(limit_kbit)] if limit_kbit else []
        command = ["sftp", "-q", "-b", "-", *limit, "-P", str(self.port), "-i", str(self.key), "-o", "StrictHostKeyChecking=no",
                   "-o", "UserKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes", "clerk@127.0.0.1"]
        return subprocess.run(command, input=batch, capture_output=True, text=True, check=False)

    def evidence(self):
        """Evidence ids by flow."""
        listed = json.loads(self.cli("evidence", "list", "--limit", "900", "--json"))
        return {row["flow"]: row["id"] for row in listed["evidence"]}

    def sealed(self, count):
        """The same, once so many are sealed: an inspection may outlast the upload's CLOSE."""
        for _ in range(1200):
            found = self.evidence()
            if len(found) >= count:
                return found
            time.sleep(0.5)
        raise SystemExit(f"only {len(found)} of {count} uploads were sealed")

    def peak_mb(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024

    def close(self):
        self.process.terminate()
        self.process.wait()


class Viewer(threading.Thread):
    """A player: takes what it is given up to its buffer, and shows it at its rate from when it has begun."""

    def __init__(self, person, evidence, rate, until):
        super().__init__(daemon=True)
        self.person, self.evidence, self.rate, self.until = person, evidence, rate, until
        self.stalls, self.started_s, self.taken, self.failed = 0, None, 0, None

    def run(self):
        try:
            self.play()
        except Exception as error:  # noqa: BLE001: told at the end
            self.failed = repr(error)

    def play(self):
        began = time.monotonic()
        reading = self.person.views(self.evidence)
        connection, answer, shown_from, stalled = None, None, None, False
        while time.monotonic() < self.until:
            if answer is None:
                # A kept connection may have ended meanwhile: by what the server has sent, it idles long before all is taken.
                connection = self.person.connection()
                answer = self.person.ask(connection, "GET", f"{reading}/content", headers={"Range": "bytes=0-"})
                assert answer.status == 206, answer.status
            now = time.monotonic()
            shown = (now - shown_from) * self.rate if shown_from else 0
            if shown_from is None and self.taken >= START_S * self.rate:
                shown_from, self.started_s = now, now - began
            if shown_from and shown > self.taken:
                # What it waited for isn't shown twice: the clock stands while it waits.
                self.stalls += not stalled
                stalled = True
                shown_from = now - self.taken / self.rate
            if self.taken - shown > AHEAD_S * self.rate:
                stalled = False
                time.sleep(0.25)
                continue
            data = answer.read1(65536)
            if not data:
                assert not answer.length, "the stream was cut"
                # From the beginning again, as who looks a second time.
                connection.close()
                answer = None
            self.taken += len(data)
        if connection:
            connection.close()
        self.person.post(f"{reading}/end", {"seconds": "1"})


class Uploader(threading.Thread):
    """Uploads clips one after another."""

    def __init__(self, vault, number, clip, until):
        super().__init__(daemon=True)
        self.vault, self.number, self.clip, self.until = vault, number, clip, until
        self.failed, self.done = [], 0

    def run(self):
        while time.monotonic() < self.until:
            own = self.vault.folder / f"up-{self.number}.mp4"
            filled(self.clip, own, self.clip.stat().st_size + 4096 + self.number * 64 + self.done, True)
            name = f"000100012345_20260728_U{self.number:03d}{self.done:04d}_WVID_01.mp4"
            ran = self.vault.sftp(f"put {own} /inbox/{name}\n", 16_000)
            if ran.returncode:
                self.failed.append(ran.stderr)
            self.done += 1


def first_sample_s(person, evidence):
    """From asking for the page to the first sample's bytes; the index is looked for by ranges, as a browser does."""
    began = time.monotonic()
    reading = person.views(evidence)

    def part(first, length):
        connection = person.connection()
        answer = person.ask(connection, "GET", f"{reading}/content", headers={"Range": f"bytes={first}-"})
        assert answer.status == 206, answer.status
        data = answer.read(length)
        # A player that has what it wants hangs up.
        connection.close()
        return data

    at, moov = 0, None
    while moov is None:
        head = part(at, 65536)
        step = at
        for kind, within, size in boxes(head):
            if kind == b"moov":
                moov = head[within:within + size] if within + size <= len(head) else part(at + within, size)
                break
            step = at + within + size
        at = step
    entry = moov.index(b"stco") + 12
    first = struct.unpack(">I", moov[entry:entry + 4])[0]
    assert len(part(first, 65536)) == 65536
    seconds = time.monotonic() - began
    person.post(f"{reading}/end", {"seconds": "0"})
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--viewers", type=int, default=200)
    parser.add_argument("--mbit", type=float, default=2)
    parser.add_argument("--uploaders", type=int, default=20)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--large-mb", type=int, default=2048)
    parser.add_argument("--dir", help="where everything lies while it runs")
    options = parser.parse_args()
    with folder_of_our_own(options.dir) as folder, contextlib.closing(Vault(folder, options.binary)) as vault:
        approver = Person(vault, "approver", vault.add("approver", "approver"))
        people = [f"viewer{number:02d}" for number in range(-(-options.viewers // PER_PERSON))]
        people = [Person(vault, name, vault.add(name, "retriever")) for name in people]
        clip = folder / "clip.mp4"
        make_clip(clip, 30, int(options.mbit * 1e6))
        batch = []
        for number in range(options.viewers):
            own = folder / f"clip-{number}.mp4"
            filled(clip, own, clip.stat().st_size + 4096 + number, True)
            batch.append(f"put {own} /inbox/000100012345_20260728_V{number:06d}_WVID_01.mp4\n")
        for index_first, flow in ((True, "L000001"), (False, "L000002")):
            own = folder / f"{flow}.mp4"
            filled(clip, own, options.large_mb << 20, index_first)
            batch.append(f"put {own} /inbox/000100012345_20260728_{flow}_WVID_01.mp4\n")
        ran = vault.sftp("".join(batch))
        assert ran.returncode == 0, ran.stderr
        for own in folder.glob("*-*.mp4"):
            own.unlink()
        for person in [approver, *people]:
            person.sign_in()
        ids = vault.sealed(options.viewers + 2)
        for number, person in enumerate(people):
            flows = [f"V{each:06d}" for each in range(number * PER_PERSON, min((number + 1) * PER_PERSON, options.viewers))]
            granted(person, approver, [ids[flow] for flow in flows])
        granted(people[0], approver, [ids["L000001"], ids["L000002"]])
        first = {}
        for flow, name in (("L000001", "index_in_front"), ("L000002", "index_at_the_end")):
            times = sorted(first_sample_s(people[0], ids[flow]) for _ in range(5))
            first[name] = {"median_s": round(statistics.median(times), 3), "worst_s": round(times[-1], 3)}
        print(json.dumps({"first_sample": first}), flush=True)
        before, began = cpu_seconds(vault.process.pid), time.monotonic()
        until = began + options.seconds
        rate = options.mbit * 1e6 / 8
        viewers = [Viewer(people[number // PER_PERSON], ids[f"V{number:06d}"], rate, until) for number in range(options.viewers)]
        uploaders = [Uploader(vault, number, clip, until) for number in range(options.uploaders)]
        for thread in viewers + uploaders:
            thread.start()
        peak_threads = 0
        while time.monotonic() < until:
            status = pathlib.Path(f"/proc/{vault.process.pid}/status").read_text()
            peak_threads = max(peak_threads, int(re.search(r"Threads:\s+(\d+)", status)[1]))
            time.sleep(0.5)
        for thread in viewers + uploaders:
            thread.join(120)
        elapsed = time.monotonic() - began
        started = sorted(viewer.started_s for viewer in viewers if viewer.started_s is not None)
        print(json.dumps({
            "viewers": options.viewers, "mbit_each": options.mbit, "seconds": round(elapsed),
            "viewers_failed": [viewer.failed for viewer in viewers if viewer.failed],
            "viewers_stalled": sum(viewer.stalls > 0 for viewer in viewers),
            "stalls": sum(viewer.stalls for viewer in viewers),
            "started_median_s": round(statistics.median(started), 2) if started else None,
            "started_worst_s": round(started[-1], 2) if started else None,
            "read_mbit_per_s": round(sum(viewer.taken for viewer in viewers) * 8 / 1e6 / elapsed),
            "uploads": sum(uploader.done for uploader in uploaders),
            "uploads_failed": sum(len(uploader.failed) for uploader in uploaders),
            "upload_errors": [uploader.failed[0] for uploader in uploaders if uploader.failed][:3],
            "server_cores": round((cpu_seconds(vault.process.pid) - before) / elapsed, 2),
            "server_peak_mb": round(vault.peak_mb()), "server_threads": peak_threads,
        }))


if __name__ == "__main__":
    main()
