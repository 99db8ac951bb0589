"""One large recording at a time, from the client's start to its end: login, OPEN, transfer.

Muniment decrypts, having verified each chunk, under a live grant; each OPEN is in the custody log before its first byte.
"""

import filecmp
import time

from ..clients import CLIENTS
from ..cost import quiet
from ..media import make_recording
from ..rounds import take_turns
from ..tables import beside
from .upload import FIGURES

NAME = "000100012345_20260728_A0000001_WVID_01.mp4"


def run(bench):
    size = bench.size_bytes
    measured = []
    with bench.scratch() as folder, bench.servers() as servers:
        recording, taken = folder / "recording.mp4", folder / "taken.mp4"
        make_recording(recording, size)
        paths = {server.name: server.offer(recording, NAME) for server in servers}

        for client in bench.clients:
            for cipher in bench.ciphers:
                def once(server, turn):
                    before, begun = quiet(server.cost), time.monotonic()
                    CLIENTS[client].get(server, cipher, paths[server.name], taken)
                    seconds = time.monotonic() - begun
                    cpu = quiet(server.cost) - before
                    same = filecmp.cmp(recording, taken, shallow=False) if turn == 0 else taken.stat().st_size == size
                    if not same:
                        raise SystemExit(f"{client} took something else from {server.name}")
                    taken.unlink()
                    return {"MB/s": size / 1e6 / seconds, "CPU s/GB": cpu / (size / 1e9)}

                measured.append(take_turns(f"{client}, {cipher}", servers, bench.pairs, once))
    return {"download": beside(measured, FIGURES, f"download of {size >> 20} MiB")}, [each.as_json() for each in measured]
