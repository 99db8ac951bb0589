"""One large recording at a time, from the client's start to its end: login, OPEN, transfer.

Muniment decrypts, having verified each chunk, under a live grant; each OPEN is in the custody log before its first byte.
"""

import filecmp

from ..clients import CLIENTS
from ..cost import Clients
from ..media import make_recording
from ..process import Failure
from ..rounds import take_turns
from ..tables import beside
from .upload import FIGURES


def name_of(size):
    """The name that a recording of this size is offered under."""
    return f"000100012345_20260728_D{size:011d}_WVID_01.mp4"


def run(bench):
    measured = []
    with bench.scratch() as folder, bench.servers(external=True, transport=True) as servers:
        recordings = {}
        for size in {size for cell in bench.cells for size in (cell.size_bytes, cell.warm_up_bytes)}:
            recordings[name_of(size)] = folder / f"{size}.mp4"
            make_recording(recordings[name_of(size)], size)
        paths = {server.name: server.offer(recordings) for server in servers}
        taken = folder / "taken"

        for cell in bench.cells:
            def once(server, turn):
                size = cell.size_bytes if turn else cell.warm_up_bytes
                name = name_of(size)
                before = server.settle()[0]
                with Clients() as client:
                    CLIENTS[cell.client].get(server, cell.cipher, paths[server.name][name], taken)
                cpu = server.settle()[0] - before
                whole = taken.stat().st_size == size
                # Comparing takes as long as the transfer, so once is enough.
                if not whole or (turn == 0 and not filecmp.cmp(recordings[name], taken, shallow=False)):
                    raise Failure(f"{cell.client} took something else from {server.name}")
                taken.unlink()
                gigabytes = size / 1e9
                return {"MB/s": gigabytes * 1e3 / client.seconds, "CPU s/GB": cpu / gigabytes, "client s/GB": client.cpu / gigabytes}

            measured.append(take_turns(cell.what, cell.contestants(servers), cell.pairs, once))
    return beside(measured, FIGURES, "download", alone={"client s/GB"}), [each.as_json() for each in measured]
