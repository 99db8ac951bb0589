"""Memory for sessions in which nothing happens: that of all the server's processes, beside the same server without any."""

import concurrent.futures

from ..light import Light
from ..rounds import take_turns
from ..tables import beside

FIGURES = {"MB": "MB for all", "KB each": "KB a session"}


def run(bench):
    with bench.servers(external=True) as servers:
        def once(server, turn):
            server.settle()
            before = server.memory_bytes()
            # The first round only warms up.
            count = bench.options.sessions if turn else 10
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                sessions = list(pool.map(lambda _: Light(server, server.uploader), range(count)))
            server.settle()
            grown = server.memory_bytes() - before
            for session in sessions:
                session.end()
            return {"MB": grown / 1e6, "KB each": grown / 1e3 / count}

        measured = [take_turns(f"{bench.options.sessions} sessions", servers, 1, once)]
    return beside(measured, FIGURES, "idle"), [each.as_json() for each in measured]
