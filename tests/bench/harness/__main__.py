"""The command line; `./bench` builds and calls it. Tables go to standard output, figures to target/bench/."""

import argparse
import dataclasses
import json
import pathlib
import signal
import sys
import time

from . import document, machine
from .bench import MEMORY, Bench, Cell
from .clients import CIPHERS, CLIENTS, ROOT
from .rounds import say
from .scenarios import SCENARIOS

DISK = ROOT / "target/bench/store"
LARGE_MB, SMALLER_MB = 2048, 512
"""The large file, and a smaller one for what isn't worth so much time."""


def everything():
    """What is measured when nothing is asked for: where, what, how. About twenty-five minutes."""
    cells = [Cell("sftp", "aes256-gcm", LARGE_MB, 5, inspected=True)]
    # OpenSSH's SFTP server as a program differs for the server alone: it is measured with one client and one cipher.
    cells += [Cell(client, cipher, LARGE_MB, 5, external=False)
              for client, cipher in (("sftp", "chacha20"), ("rclone", "aes256-gcm"), ("rclone", "chacha20"))]
    cells += [Cell(client, "aes128-gcm", SMALLER_MB, 3, external=False) for client in ("sftp", "rclone")]
    cells += [Cell("lftp", cipher, SMALLER_MB, 3, external=False) for cipher in CIPHERS]
    yield MEMORY, "upload", {"cells": cells}
    yield DISK, "upload", {"cells": [Cell("sftp", "aes256-gcm", LARGE_MB, 5, external=False, inspected=True), Cell("rclone", "chacha20", LARGE_MB, 3, external=False)]}
    yield MEMORY, "download", {"cells": cells[:1] + [dataclasses.replace(cell, size_mb=min(cell.size_mb, 1024)) for cell in cells[1:]]}
    yield MEMORY, "small", {"pairs": 3}
    yield DISK, "small", {"pairs": 2, "files": 2000}
    yield MEMORY, "many", {"pairs": 2, "size_mb": 1024}
    for store in (MEMORY, DISK):
        yield store, "ack", {"pairs": 2}
    yield MEMORY, "logins", {"pairs": 3}
    yield MEMORY, "first-byte", {"pairs": 5}
    yield MEMORY, "idle", {}
    yield MEMORY, "pieces", {}


def a_look(options):
    """The same with small files and one round: whether all of it works, not what it says."""
    options.files, options.cards, options.logins, options.sessions, options.seconds = 100, 50, 30, 30, 1
    options.at_once = options.at_once or [1, 4]
    for store, name, how in everything():
        smaller = {"cells": [dataclasses.replace(cell, size_mb=16, pairs=1) for cell in how.get("cells", [])]}
        yield store, name, smaller | ({"pairs": 1, "size_mb": 64} if name != "idle" else {})


def asked(options):
    """The same for what was asked for on the command line."""
    cells = [Cell(client, cipher, options.size_mb or LARGE_MB, options.pairs or 5, inspected=options.inspected)
             for client in options.client or ["sftp", "rclone"] for cipher in options.cipher or ["aes256-gcm", "chacha20"]]
    how = {"cells": cells}
    if options.pairs:
        how["pairs"] = options.pairs
    if options.size_mb:
        how["size_mb"] = options.size_mb
    for store in [str(pathlib.Path(store).resolve()) for store in options.store or [MEMORY]]:
        for name in options.scenario:
            yield store, name, how


def main():
    parser = argparse.ArgumentParser(
        prog="./bench", description="Muniment beside OpenSSH's own SFTP server, in turn. Without the name of a scenario "
        "everything is measured as it stands in docs/BENCHMARKS.md, and its tables are written anew.")
    parser.add_argument("scenario", nargs="*", help=", ".join(SCENARIOS))
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/muniment", help="the server to measure")
    parser.add_argument("--also", type=pathlib.Path, help="another build of it, measured in the same rounds")
    parser.add_argument("--pairs", type=int, help="rounds that count")
    parser.add_argument("--store", action="append", help=f"where servers keep their files; {MEMORY} when not given")
    parser.add_argument("--external", action="store_true", help="OpenSSH with its sftp-server as a program, too")
    parser.add_argument("--transport", action="store_true", help="upload, download, small: Muniment's SSH and SFTP with nothing behind them, too")
    parser.add_argument("--inspected", action="store_true", help="upload: as recordings by name, too")
    parser.add_argument("--deep", action="store_true", help="with the inspection in the background, as it ships")
    parser.add_argument("--size-mb", type=int, help="upload, download: the file; many: all files together; MiB")
    parser.add_argument("--client", action="append", choices=list(CLIENTS), help="upload, download")
    parser.add_argument("--cipher", action="append", choices=list(CIPHERS), help="upload, download")
    parser.add_argument("--files", type=int, default=5000, help="small")
    parser.add_argument("--cards", type=int, default=1500, help="small: cards at the most")
    parser.add_argument("--only", choices=("cards", "scans"), help="small, many, ack: Muniment with one kind of file")
    parser.add_argument("--at-once", type=int, nargs="+", help="small, many: sessions at one time")
    parser.add_argument("--seconds", type=float, default=6, help="ack: how long a round takes")
    parser.add_argument("--logins", type=int, default=300, help="logins")
    parser.add_argument("--sessions", type=int, default=500, help="idle")
    parser.add_argument("--look", action="store_true", help="everything with small files and one round, to see that it works")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/BENCHMARKS.md")
    options = parser.parse_args()
    # Servers are ended and files removed however this ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended from outside"))
    unknown = [name for name in options.scenario if name not in SCENARIOS]
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}")
    options.binary = options.binary.resolve()
    options.also = options.also and options.also.resolve()
    if options.scenario:
        plan = list(asked(options))
    else:
        plan = list(a_look(options) if options.look else everything())
        options.external = options.transport = True
        options.write = options.write or not options.look
    DISK.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine.describe({str(store) for store, _, _ in plan}, options.binary), "measured": []}
    path = DISK.parent / f"{time.strftime('%Y%m%d-%H%M%S')}.json"
    tables, failed, begun = {"machine": [machine.as_list(results["machine"])]}, [], time.monotonic()
    with machine.fair_to_threads():
        for store, name, how in plan:
            others = machine.busy_percent()
            say(f"== {name}, store {store}" + (f"; WARNING: others use {others:.0f} % of the processors" if others > 5 else ""))
            started = time.monotonic()
            try:
                table, figures = SCENARIOS[name].run(Bench(options, store, **how))
            except Exception as failure:  # the others can still say something
                failed.append(name)
                say(f"bench: {name} failed: {failure!r}")
                continue
            caption = "" if store == MEMORY else f"On disk ({machine.file_system(store)}):\n\n"
            tables.setdefault(name, []).append(caption + table)
            print(f"{caption}{table}\n", flush=True)
            say(f"   {time.monotonic() - started:.0f} s")
            results["measured"].append({"scenario": name, "store": str(store), "busy_percent": others, "figures": figures})
            # After each, so that what was measured stays when something ends the rest.
            path.write_text(json.dumps(results, indent=1))
            if options.write:
                document.write(ROOT / "docs/BENCHMARKS.md", {name: "\n\n".join(parts) for name, parts in tables.items()})
    say(f"{time.monotonic() - begun:.0f} s in all; figures in {path.relative_to(ROOT)}")
    if failed:
        sys.exit(f"bench: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
