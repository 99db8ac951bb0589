"""One large file at a time, from the client's start to its end: login, transfer, CLOSE.

With Muniment that means hashed, encrypted, synced and committed; with OpenSSH, written. "Inspected" are recordings by name, too:
the gate reads all of them once more before CLOSE is answered, or for two seconds of it.
"""

import itertools

from ..clients import CLIENTS
from ..cost import Clients
from ..media import make_recording, renumber
from ..rounds import Contestant, take_turns
from ..tables import beside

FIGURES = {"MB/s": "MB/s", "CPU s/GB": "server CPU s/GB", "client s/GB": "client CPU s/GB"}


def contestants(cell, servers):
    for server in cell.contestants(servers):
        yield Contestant(server, inspected=False)
        if cell.inspected and hasattr(server, "evidence"):
            yield Contestant(server, f"{server.name}, inspected", inspected=True)


def run(bench):
    measured, numbers = [], itertools.count(1)
    with bench.scratch() as folder, bench.servers(external=True, transport=True) as servers:
        recordings = {}
        for size in {size for cell in bench.cells for size in (cell.size_bytes, cell.warm_up_bytes)}:
            recordings[size] = folder / f"{size}.mp4"
            make_recording(recordings[size], size)

        for cell in bench.cells:
            def once(contestant, turn):
                server = contestant.server
                size = cell.size_bytes if turn else cell.warm_up_bytes
                recording, number = recordings[size], next(numbers)
                name = f"000100012345_20260728_A{number:07d}_WVID_01.mp4" if contestant.inspected else f"scan-{number:06}.bin"
                renumber(recording, number)
                server.mark()
                before = server.settle()[0]
                with Clients() as client:
                    CLIENTS[cell.client].put(server, cell.cipher, recording, server.path(name))
                cpu = server.settle()[0] - before
                server.check({name: size})
                server.discard()
                gigabytes = size / 1e9
                return {"MB/s": gigabytes * 1e3 / client.seconds, "CPU s/GB": cpu / gigabytes, "client s/GB": client.cpu / gigabytes}

            measured.append(take_turns(cell.what, list(contestants(cell, servers)), cell.pairs, once))
    return beside(measured, FIGURES, "upload", alone={"client s/GB"}), [each.as_json() for each in measured]
