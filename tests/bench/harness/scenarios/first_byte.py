"""How long until the first byte: from the connection on, and from a READ in an open file on.

With Muniment a file is opened under a grant, and the log has it before the first byte.
"""

import random
import statistics
import time

from ..light import READING, Light
from ..media import make_recording
from ..rounds import take_turns
from ..tables import beside
from .download import name_of

SIZE_BYTES = 64 << 20
FIGURES = {"first byte ms": "connect to first byte, ms", "open ms": "OPEN to first byte, ms", "READ ms": "READ of 32 KiB, ms"}
TRIES = 20


def run(bench):
    with bench.scratch() as folder, bench.servers() as servers:
        recording = folder / "recording.mp4"
        make_recording(recording, SIZE_BYTES)
        name = name_of(SIZE_BYTES)
        paths = {server.name: server.offer({name: recording})[name] for server in servers}

        def once(server, turn):
            whole, opened, reads = [], [], []
            for _ in range(TRIES):
                begun = time.monotonic()
                session = Light(server, server.reader)
                asked = time.monotonic()
                handle = session.open(paths[server.name], READING)
                session.read(handle, 0, 32768)
                here = time.monotonic()
                whole.append(here - begun)
                opened.append(here - asked)
                for _ in range(TRIES):
                    offset = random.randrange(SIZE_BYTES // 32768) * 32768
                    begun = time.monotonic()
                    session.read(handle, offset, 32768)
                    reads.append(time.monotonic() - begun)
                session.close(handle)
                session.end()
            middle = [statistics.median(times) * 1000 for times in (whole, opened, reads)]
            return dict(zip(FIGURES, middle))

        measured = [take_turns("one client", servers, bench.pairs, once)]
    return beside(measured, FIGURES, "medians"), [each.as_json() for each in measured]
