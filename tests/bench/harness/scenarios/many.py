"""The same bytes over more and more sessions at one time, by OpenSSH's `sftp`, log-ins included.

Recordings go through the gate and are sealed. Scans without a name that says anything are hashed, encrypted, synced and committed,
and wait for a manifest. Memory is the most that all processes had together, looked at in the round that warms up.
"""

import threading
import time

from ..clients import sftp_at_once
from ..media import make_recording
from ..rounds import Contestant, take_turns
from ..tables import beside

FIGURES = {"MB/s": "MB/s", "CPU s/GB": "server CPU s/GB", "peak MB": "memory at its peak, MB", "rest s": "rest done after, s"}
LOOK_S = 0.1
RECORDINGS_AT_ONCE = 64


class Peak(threading.Thread):
    """Looks at a server's memory again and again."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.bytes, self.over = server, server.memory_bytes(), threading.Event()
        self.start()

    def run(self):
        while not self.over.wait(LOOK_S):
            self.bytes = max(self.bytes, self.server.memory_bytes())

    def stop(self):
        self.over.set()
        self.join()
        return self.bytes


def contestants(servers, only, sessions):
    for server in servers:
        if server is servers[0]:
            yield Contestant(server, kind="scans")
        else:
            if only != "cards":
                yield Contestant(server, f"{server.name}, scans", kind="scans")
            # Hundreds of recordings at one time measure the gate alone, for minutes.
            if only != "scans" and (only or sessions <= RECORDINGS_AT_ONCE):
                yield Contestant(server, f"{server.name}, recordings", kind="recordings")


def run(bench):
    measured, turns = [], 0
    with bench.scratch() as folder, bench.servers() as servers:
        for sessions in bench.options.at_once or (1, 8, 64, 256):
            size = bench.size_bytes // sessions
            recording = folder / "recording.mp4"
            make_recording(recording, size)
            peaks = {}

            def once(contestant, turn):
                server, names = contestant.server, {}
                for number in range(sessions):
                    own = turns + turn
                    name = (f"scan-{sessions}-{own}-{number}.mp4" if contestant.kind == "scans" else
                            f"000100012345_20260728_M{own:03d}{number:05d}_WVID_01.mp4")
                    names[name] = size
                batches = [[f"put {recording} {server.path(name)}\n"] for name in names]
                server.mark()
                before, begun = server.settle()[0], time.monotonic()
                peak = None if turn else Peak(server)
                sftp_at_once(server, batches, folder)
                seconds = time.monotonic() - begun
                if peak:
                    peaks[contestant.name] = peak.stop()
                after, rest = server.settle()
                server.check(names)
                server.discard()
                moved = size * sessions
                return {"MB/s": moved / 1e6 / seconds, "CPU s/GB": (after - before) / (moved / 1e9),
                        "peak MB": peaks[contestant.name] / 1e6, "rest s": rest}

            what = f"{sessions} × {size / (1 << 20):.0f} MiB"
            measured.append(take_turns(what, list(contestants(servers, bench.options.only, sessions)), bench.pairs, once))
            turns += bench.pairs + 1
    return beside(measured, FIGURES, "uploads at once", alone={"rest s"}), [each.as_json() for each in measured]
