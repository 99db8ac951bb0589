"""Memory for sessions in which nothing happens: that of all the server's processes, beside the same server without any."""

from ..light import Light
from ..rounds import take_turns
from ..tables import beside

FIGURES = {"MB": "MB for all", "KB each": "KB a session"}


def run(bench):
    with bench.servers(external=True) as servers:
        def once(server, turn):
            # The first round shows the allocator what is to come; it is what a server looks like after its first morning.
            server.settle()
            before = server.memory_bytes()
            sessions = [Light(server, server.uploader) for _ in range(bench.options.sessions)]
            server.settle()
            grown = server.memory_bytes() - before
            for session in sessions:
                session.end()
            server.settle()
            return {"MB": grown / 1e6, "KB each": grown / 1e3 / len(sessions)}

        measured = [take_turns(f"{bench.options.sessions} sessions", servers, 1, once)]
    return beside(measured, FIGURES, "idle"), [each.as_json() for each in measured]
