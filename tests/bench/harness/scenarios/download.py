"""One large recording at a time, from the client's start to its end: login, OPEN, transfer.

Muniment decrypts, having verified each chunk, under a live grant; each OPEN is in the custody log before its first byte.
"""

import filecmp
import time

from ..clients import CLIENTS
from ..media import make_recording
from ..rounds import take_turns
from ..tables import beside
from .upload import FIGURES


def name_of(size):
    """The name that a recording of this size is offered under."""
    return f"000100012345_20260728_D{size:011d}_WVID_01.mp4"


def run(bench):
    measured = []
    with bench.scratch() as folder, bench.servers(external=True) as servers:
        recordings = {name_of(cell.size_bytes): folder / f"{cell.size_mb}.mp4" for cell in bench.cells}
        for cell in bench.cells:
            if not recordings[name_of(cell.size_bytes)].exists():
                make_recording(recordings[name_of(cell.size_bytes)], cell.size_bytes)
        paths = {server.name: server.offer(recordings) for server in servers}
        taken = folder / "taken"

        for cell in bench.cells:
            name = name_of(cell.size_bytes)

            def once(server, turn):
                before, begun = server.settle()[0], time.monotonic()
                CLIENTS[cell.client].get(server, cell.cipher, paths[server.name][name], taken)
                seconds = time.monotonic() - begun
                cpu = server.settle()[0] - before
                whole = taken.stat().st_size == cell.size_bytes
                # Comparing takes as long as the transfer, so once is enough.
                if not whole or (turn == 0 and not filecmp.cmp(recordings[name], taken, shallow=False)):
                    raise SystemExit(f"{cell.client} took something else from {server.name}")
                taken.unlink()
                return {"MB/s": cell.size_bytes / 1e6 / seconds, "CPU s/GB": cpu / (cell.size_bytes / 1e9)}

            measured.append(take_turns(cell.what, cell.contestants(servers), cell.pairs, once))
    return beside(measured, FIGURES, "download"), [each.as_json() for each in measured]
