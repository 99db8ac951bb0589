"""Files of 64 KiB over one session and over several, by OpenSSH's `sftp`: STAT, OPEN, WRITE, CLOSE, one after another.

Cards (JPEG) go through inspection and are sealed. Scans without a name that says anything are hashed, encrypted, synced and
committed, and wait for a manifest: all of it but the inspection. Of cards fewer are enough: their rate is steady.
"""

from ..clients import sftp_at_once
from ..cost import Clients
from ..media import SMALL_BYTES, make_cards
from ..rounds import Contestant, take_turns
from ..tables import beside

FIGURES = {"files/s": "files/s", "CPU ms/file": "server CPU ms/file", "client ms/file": "client CPU ms/file",
           "rest s": "rest done after, s"}
BASES = {"internal-sftp": "OpenSSH", "internal-sftp, fsync": "OpenSSH, fsync"}


def remote_name(kind, turn, number):
    """A name that nobody used before."""
    if kind == "cards":
        return f"000100012345_20260728_C{turn:02d}{number:06d}_IDF_01.jpg"
    return f"scan-{turn:02d}-{number:06d}.jpg"


def contestants(servers, only):
    first = servers[0]
    yield Contestant(first, kind="scans", words=())
    yield Contestant(first, "internal-sftp, fsync", kind="scans", words=("-f",))
    for server in servers[1:]:
        if not hasattr(server, "evidence"):
            yield Contestant(server, kind="scans", words=())
        else:
            for kind in ("cards", "scans") if only is None else (only,):
                yield Contestant(server, f"{server.name}, {kind}", kind=kind, words=())


def run(bench):
    measured = []
    with bench.scratch() as folder, bench.servers(transport=True) as servers:
        cards = make_cards(folder, bench.files)
        turns = 0
        for sessions in bench.options.at_once or (1, 8):
            def once(contestant, turn):
                server, names = contestant.server, {}
                batches = [[] for _ in range(sessions)]
                count = bench.cards if contestant.kind == "cards" and server is not servers[0] else len(cards)
                # The first round only warms up.
                count = count if turn else count // 10
                for number, card in enumerate(cards[:count]):
                    name = remote_name(contestant.kind, turns + turn, number)
                    names[name] = SMALL_BYTES
                    batches[number % sessions].append(f"put {card} {server.path(name)}\n")
                server.mark()
                before = server.settle()[0]
                with Clients() as clients:
                    sftp_at_once(server, batches, folder, contestant.words)
                after, rest = server.settle()
                server.check(names)
                server.discard()
                return {"files/s": count / clients.seconds, "CPU ms/file": (after - before) * 1000 / count,
                        "client ms/file": clients.cpu * 1000 / count, "rest s": rest}

            what = "1 session" if sessions == 1 else f"{sessions} sessions"
            measured.append(take_turns(what, list(contestants(servers, bench.options.only)), bench.pairs, once))
            turns += bench.pairs + 1
    return beside(measured, FIGURES, f"{len(cards):,} files of 64 KiB", BASES, alone={"client ms/file", "rest s"}), [each.as_json() for each in measured]
