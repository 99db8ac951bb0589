"""How long a small file's CLOSE takes to be answered beside four uploads at full speed.

The four are OpenSSH's `sftp`, each with one large file after another; beside them one session of the light client puts files of
64 KiB, one after another, and measures from sending CLOSE to its answer.
"""

import itertools
import statistics
import subprocess
import threading
import time

from ..clients import CIPHERS
from ..light import Light
from ..media import SMALL_BYTES, make_cards, make_recording
from ..process import Failure
from ..rounds import Contestant, take_turns
from ..tables import beside
from .small import remote_name

FIGURES = {"p50 ms": "CLOSE p50, ms", "p99 ms": "p99, ms", "worst ms": "worst, ms", "file p50 ms": "OPEN to CLOSE p50, ms",
           "beside MB/s": "the four, MB/s"}
LARGE_BYTES = 128 << 20
NEIGHBOURS = 4
numbers = itertools.count()


class Neighbour(threading.Thread):
    """Uploads one large file after another."""

    def __init__(self, server, recording):
        super().__init__(daemon=True)
        self.server, self.recording, self.moved, self.over, self.failed = server, recording, 0, False, None
        self.start()

    def run(self):
        config = self.server.ssh_config(self.server.uploader, CIPHERS["aes256-gcm"])
        while not self.over and not self.failed:
            name = f"000100012345_20260728_N{next(numbers):07d}_WVID_01.mp4"
            ran = subprocess.run(["sftp", "-q", "-b", "-", "-F", str(config), "bench"], capture_output=True, text=True,
                                 input=f"put {self.recording} {self.server.path(name)}\n", check=False)
            self.failed = ran.returncode and ran.stderr
            self.moved += LARGE_BYTES


def contestants(servers, only):
    for server in servers:
        if server is servers[0]:
            yield Contestant(server, kind="cards")
        else:
            for kind in ("cards", "scans") if only is None else (only,):
                yield Contestant(server, f"{server.name}, {kind}", kind=kind)


def run(bench):
    with bench.scratch() as folder, bench.servers() as servers:
        recording = folder / "recording.mp4"
        make_recording(recording, LARGE_BYTES)
        cards = [card.read_bytes() for card in make_cards(folder, 200)]

        def once(contestant, turn):
            server = contestant.server
            neighbours = [Neighbour(server, recording) for _ in range(NEIGHBOURS)]
            time.sleep(1)
            session = Light(server, server.uploader)
            closes, files, names = [], [], {}
            begun = time.monotonic()
            server.mark()
            # The first round only warms up.
            while time.monotonic() - begun < (bench.options.seconds if turn else 1):
                number = next(numbers)
                name = remote_name(contestant.kind, 0, number)
                names[name] = SMALL_BYTES
                opened = time.monotonic()
                handle = session.put(server.path(name), cards[number % len(cards)])
                closed = time.monotonic()
                session.close(handle)
                answered = time.monotonic()
                closes.append((answered - closed) * 1000)
                files.append((answered - opened) * 1000)
            for neighbour in neighbours:
                neighbour.over = True
            for neighbour in neighbours:
                neighbour.join()
                if neighbour.failed:
                    raise Failure(f"a neighbour on {server.name} failed: {neighbour.failed}")
            seconds = time.monotonic() - begun
            session.end()
            server.settle()
            server.check(names)
            server.discard()
            closes.sort()
            return {"p50 ms": statistics.median(closes), "p99 ms": closes[int(len(closes) * 0.99)], "worst ms": closes[-1],
                    "file p50 ms": statistics.median(files),
                    "beside MB/s": sum(neighbour.moved for neighbour in neighbours) / 1e6 / seconds, "files": len(closes)}

        measured = [take_turns("beside four uploads", list(contestants(servers, bench.options.only)), bench.pairs, once)]
    return beside(measured, FIGURES, "files of 64 KiB", alone=set(FIGURES) - {"beside MB/s"}), [each.as_json() for each in measured]
