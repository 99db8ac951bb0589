#!/usr/bin/env python3
"""How long a receipt takes after CLOSE, and what uploads lose beside a full deep queue. One server, real clients, one run.

    tests/bench/receipt.py PROGRAMS_FOLDER [--tries 5] [--rounds 8] [--dir FOLDER]

PROGRAMS_FOLDER holds muniment and its workers (target/release). The client is OpenSSH's `sftp`; the server's vault lies in
FOLDER (a tmpfs takes the disk out of the picture; it needs some 10 GB).

receipt  A recording of 500 MB as in inspection.py is put. The clock begins when the client sends CLOSE (its own trace says so)
         and ends when a second session, which looks every 20 ms, sees the receipt. At rest: nothing is inspected in the
         background. Then beside a deep inspection of another recording.
uploads  Recordings of 256 MB that the gate is through with at once, put with and without a full deep queue in turn
         (A B B A ...). The server is started anew with `deep` off and on; what is due stays due. That a deep worker runs is
         looked at before and after each upload with the queue.
"""

import argparse
import contextlib
import os
import pathlib
import statistics
import subprocess
import threading
import time

from harness.cost import cpu_seconds
from harness.media import make_recording as make_padded, renumber
from harness.process import folder_of_our_own, run
from harness.servers import Muniment
from inspection import make_recording

LOOK = 0.02


class Server(Muniment):
    """The server, started and stopped with the deep tier on or off."""

    def __init__(self, folder, programs):
        super().__init__("muniment", folder / "server", programs / "muniment")
        self.names = 0
        # Strips the words that make ssh itself talkative: only sftp's own trace is wanted.
        self.quiet_ssh = folder / "quiet-ssh"
        self.quiet_ssh.write_text('#!/bin/sh\nfor word; do shift; [ "$word" = -v ] || set -- "$@" "$word"; done\nexec ssh "$@"\n')
        self.quiet_ssh.chmod(0o755)

    def restart(self, deep):
        self.process.terminate()
        self.process.wait()
        self.configure("deep", str(deep).lower())
        self.serve()

    def sftp(self, *words):
        return ["sftp", *words, "-F", str(self.ssh_config(self.uploader, "aes256-gcm@openssh.com")), "bench"]

    def target(self, _=None):
        self.names += 1
        return f"/inbox/000100012345_20260728_A{self.names:07d}_WVID_01.mp4"

    def workers(self):
        """Process ids of the workers that run in the background."""
        found = []
        for child in pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            for pid in child.read_text().split():
                try:
                    if b"--background" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                        found.append(int(pid))
                except OSError:
                    pass
        return found

    def wait_for_worker(self):
        begun = time.monotonic()
        while not self.workers():
            if time.monotonic() - begun > 60:
                raise SystemExit("no deep inspection begins")
            time.sleep(LOOK)


class Watcher:
    """A session that sees receipts."""

    def __init__(self, server):
        self.process = subprocess.Popen(server.sftp("-q", "-b", "-"), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)

    def sees(self, name):
        """Whether a receipt of a name that isn't WAITING is there."""
        self.process.stdin.write(f"-ls -1 /receipts/*/{name}.*.txt\npwd\n")
        self.process.stdin.flush()
        found = False
        for line in self.process.stdout:
            found |= line.startswith("/receipts/") and ".WAITING." not in line
            if line.startswith("Remote working directory"):
                return found
        raise SystemExit("the watching session ended")

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def put(server, video):
    """Seconds that a client takes, its login and CLOSE included."""
    begun = time.monotonic()
    run(*server.sftp("-q", "-b", "-"), input=f"put {video} {server.target()}\n")
    return time.monotonic() - begun


def receipt(server, watcher, video):
    """Seconds from CLOSE to its answer and to the receipt, and the CPU seconds of server and worker from then to then."""
    target = server.target()
    name = target.rsplit("/", 1)[1]
    client = subprocess.Popen(server.sftp("-vvv", "-S", str(server.quiet_ssh), "-b", "-"), stdin=subprocess.PIPE,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    client.stdin.write(f"put {video} {target}\n".encode())
    client.stdin.close()
    closed, answered = None, None
    # The first CLOSE is the file's: nothing else is opened before.
    for line in client.stderr:
        if b"Sent message SSH2_FXP_CLOSE" in line:
            closed, cpu = time.monotonic(), cpu_seconds(server.process.pid)
            break
    if closed is None:
        raise SystemExit("the client sent no CLOSE")

    def listen():
        nonlocal answered
        for line in client.stderr:
            if answered is None and b"SSH2_FXP_STATUS" in line:
                answered = time.monotonic()

    listener = threading.Thread(target=listen)
    listener.start()
    while not watcher.sees(name):
        if time.monotonic() - closed > 120:
            raise SystemExit("no receipt within two minutes")
        time.sleep(LOOK)
    seen = time.monotonic()
    # The worker was waited for by then, so its time is among that of the children.
    cpu = cpu_seconds(server.process.pid) - cpu
    listener.join()
    if client.wait() != 0:
        raise SystemExit("the upload failed")
    return (answered or seen) - closed, seen - closed, cpu


def unlike(video, number):
    """The same recording as other content: a box that players pass over, at the end."""
    with open(video, "r+b") as file:
        if number:
            file.seek(-16, os.SEEK_END)
        else:
            file.seek(0, os.SEEK_END)
        file.write((16).to_bytes(4, "big") + b"free" + number.to_bytes(8, "big"))


def spread(values):
    return f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def load():
    return f"load {os.getloadavg()[0]:.1f}"


def receipts(server, folder, whole, tries):
    print(f"\nreceipt of {os.path.getsize(whole) / 1e6:.0f} MB     CLOSE answered s   receipt s   CPU s")
    for what, deep in (("at rest", False), ("beside a deep inspection", True)):
        server.restart(deep)
        if deep:
            # One whose inspection outlasts all of this.
            put(server, whole)
            server.wait_for_worker()
        watcher = Watcher(server)
        rows = []
        for number in range(tries + 1):
            unlike(whole, number + (1000 if deep else 0) or 1)
            if deep:
                server.wait_for_worker()
            row = receipt(server, watcher, whole)
            # The first one warms up.
            if number:
                rows.append(row)
                print(f"  {what}, try {number}: {row[0]:14.2f} {row[1]:11.2f} {row[2]:7.2f}   {load()}", flush=True)
        watcher.close()
        print(f"  {what}, medians: {'   '.join(spread(column) for column in zip(*rows))}", flush=True)


def uploads(server, folder, whole, rounds):
    size = 256 << 20
    video = folder / "padded.mp4"
    make_padded(video, size)
    server.restart(True)
    for number in range(3):
        unlike(whole, 2000 + number)
        put(server, whole)
    times = {False: [], True: []}
    slower = []
    print(f"\nuploads of {size / 1e6:.0f} MB     without s   with a full deep queue s   speed lost", flush=True)
    number = 0
    for turn in range(rounds + 1):
        pair = {}
        for deep in ((False, True) if turn % 2 else (True, False)):
            server.restart(deep)
            if deep:
                server.wait_for_worker()
            seconds = []
            for _ in range(3):
                number += 1
                renumber(video, number)
                if deep:
                    server.wait_for_worker()
                worker = server.workers()
                seconds.append(put(server, video))
                if deep and server.workers() != worker:
                    raise SystemExit("the deep inspection ended in mid-upload: there is no full queue")
            pair[deep] = statistics.median(seconds)
        # The first pair warms up.
        if turn:
            lost = 1 - pair[False] / pair[True]
            slower.append(lost)
            for deep in pair:
                times[deep].append(pair[deep])
            print(f"  round {turn}: {pair[False]:18.3f} {pair[True]:26.3f} {100 * lost:11.1f} %   {load()}", flush=True)
    print(f"  medians: {spread(times[False])} s, {spread(times[True])} s; "
          f"lost {100 * statistics.median(slower):.1f} % ({100 * min(slower):.1f}-{100 * max(slower):.1f} %)")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=pathlib.Path)
    parser.add_argument("--tries", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--only", choices=("receipt", "uploads"))
    parser.add_argument("--dir", help="where the vault lies")
    options = parser.parse_args()
    with folder_of_our_own(options.dir) as folder, contextlib.ExitStack() as stack:
        whole = make_recording(folder)
        unlike(whole, 0)
        server = Server(folder, options.programs.resolve())
        stack.callback(server.stop)
        print(f"{os.cpu_count()} cores, {load()}")
        if options.only != "uploads":
            receipts(server, folder, whole, options.tries)
        if options.only != "receipt":
            uploads(server, folder, whole, options.rounds)


if __name__ == "__main__":
    main()
