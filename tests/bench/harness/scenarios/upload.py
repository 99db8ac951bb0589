"""One large recording at a time, from the client's start to its end: login, transfer, CLOSE.

With Muniment that means hashed, encrypted, synced, inspected at the gate, and committed; with OpenSSH, written.
"""

import time

from ..clients import CLIENTS
from ..cost import quiet
from ..media import make_recording, renumber
from ..rounds import take_turns
from ..tables import beside

FIGURES = {"MB/s": "MB/s", "CPU s/GB": "server CPU s/GB"}


def run(bench):
    size = bench.size_bytes
    measured = []
    with bench.scratch() as folder, bench.servers() as servers:
        recording = folder / "recording.mp4"
        make_recording(recording, size)
        number = 0

        for client in bench.clients:
            for cipher in bench.ciphers:
                def once(server, turn):
                    name = f"000100012345_20260728_A{number + turn:07d}_WVID_01.mp4"
                    renumber(recording, number + turn)
                    before, begun = quiet(server.cost), time.monotonic()
                    CLIENTS[client].put(server, cipher, recording, server.path(name))
                    seconds = time.monotonic() - begun
                    cpu = quiet(server.cost) - before
                    server.check({name: size})
                    server.discard()
                    return {"MB/s": size / 1e6 / seconds, "CPU s/GB": cpu / (size / 1e9)}

                measured.append(take_turns(f"{client}, {cipher}", servers, bench.pairs, once))
                number += bench.pairs + 1
    text = beside(measured, FIGURES, f"upload of {size >> 20} MiB")
    return {"upload": text}, [each.as_json() for each in measured]
