"""One large recording at a time, from the client's start to its end: login, transfer, CLOSE.

With Muniment that means hashed, encrypted, synced, inspected at the gate, and committed; with OpenSSH, written.
"""

import itertools
import time

from ..clients import CLIENTS
from ..media import make_recording, renumber
from ..rounds import take_turns
from ..tables import beside

FIGURES = {"MB/s": "MB/s", "CPU s/GB": "server CPU s/GB"}


def run(bench):
    measured, numbers = [], itertools.count(1)
    with bench.scratch() as folder, bench.servers(external=True) as servers:
        recordings = {}
        for size in {size for cell in bench.cells for size in (cell.size_bytes, cell.warm_up_bytes)}:
            recordings[size] = folder / f"{size}.mp4"
            make_recording(recordings[size], size)

        for cell in bench.cells:
            def once(server, turn):
                size = cell.size_bytes if turn else cell.warm_up_bytes
                recording, number = recordings[size], next(numbers)
                name = f"000100012345_20260728_A{number:07d}_WVID_01.mp4"
                renumber(recording, number)
                server.mark()
                before, begun = server.settle()[0], time.monotonic()
                CLIENTS[cell.client].put(server, cell.cipher, recording, server.path(name))
                seconds = time.monotonic() - begun
                cpu = server.settle()[0] - before
                server.check({name: size})
                server.discard()
                return {"MB/s": size / 1e6 / seconds, "CPU s/GB": cpu / (size / 1e9)}

            measured.append(take_turns(cell.what, cell.contestants(servers), cell.pairs, once))
    return beside(measured, FIGURES, "upload"), [each.as_json() for each in measured]
