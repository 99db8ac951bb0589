"""The command line; `./bench` builds and calls it. Results go to target/bench/, tables to standard output."""

import argparse
import contextlib
import json
import os
import pathlib
import time

from . import machine
from .clients import CIPHERS, CLIENTS
from .process import folder_of_our_own
from .rounds import say
from .scenarios import SCENARIOS
from .servers import Muniment, OpenSsh

ROOT = pathlib.Path(__file__).parents[3]
MEMORY = "/dev/shm"


class Bench:
    """What was asked for, and what scenarios need for it."""

    def __init__(self, options, store):
        self.options, self.store, self.pairs = options, store, options.pairs
        self.size_bytes = options.size_mb << 20
        self.clients, self.ciphers = options.client, options.cipher

    def scratch(self):
        """A folder for what clients send and take: in memory, whatever the store is."""
        return folder_of_our_own(MEMORY if os.path.isdir(MEMORY) else None)

    @contextlib.contextmanager
    def servers(self):
        """All contestants, running; the first is what the others are compared with."""
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(folder_of_our_own(self.store))
            makers = [lambda: OpenSsh("internal-sftp", folder / "internal", "internal-sftp")]
            if self.options.external:
                makers.append(lambda: OpenSsh("sftp-server", folder / "external", "/usr/lib/openssh/sftp-server"))
            makers.append(lambda: Muniment("muniment", folder / "muniment", self.options.binary))
            if self.options.also:
                makers.append(lambda: Muniment("also", folder / "also", self.options.also))
            servers = []
            for make in makers:
                server = make()
                stack.callback(server.stop)
                servers.append(server)
            yield servers


def main():
    parser = argparse.ArgumentParser(prog="./bench", description="Muniment beside OpenSSH's own SFTP server, in turn.")
    parser.add_argument("scenario", nargs="*", help=f"which of {', '.join(SCENARIOS)}; all when none is named")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / "target/release/muniment", help="the server to measure")
    parser.add_argument("--also", type=pathlib.Path, help="another build of it, measured in the same rounds")
    parser.add_argument("--pairs", type=int, default=5, help="rounds that count")
    parser.add_argument("--size-mb", type=int, default=2048, help="the large file, MiB")
    parser.add_argument("--store", action="append", help=f"where servers keep their files; {MEMORY} when not given")
    parser.add_argument("--client", action="append", choices=list(CLIENTS))
    parser.add_argument("--cipher", action="append", choices=list(CIPHERS))
    parser.add_argument("--external", action="store_true", help="OpenSSH with its sftp-server as a program, too")
    options = parser.parse_args()
    unknown = [name for name in options.scenario if name not in SCENARIOS]
    if unknown:
        parser.error(f"there is no scenario {', '.join(unknown)}")
    options.client, options.cipher = options.client or ["sftp", "rclone"], options.cipher or ["aes256-gcm", "chacha20"]
    options.binary = options.binary.resolve()
    options.also = options.also and options.also.resolve()
    stores = options.store or [MEMORY]
    results = {"machine": machine.describe({store: store for store in stores}), "scenarios": {}}
    folder = ROOT / "target/bench"
    folder.mkdir(parents=True, exist_ok=True)
    for store in stores:
        bench = Bench(options, store)
        for name in options.scenario or SCENARIOS:
            say(f"== {name}, store {store}, load {os.getloadavg()[0]:.1f}")
            begun = time.monotonic()
            tables, raw = SCENARIOS[name].run(bench)
            results["scenarios"][f"{name} {store}"] = raw
            for text in tables.values():
                print(text, flush=True)
            say(f"   {time.monotonic() - begun:.0f} s")
    (folder / f"{time.strftime('%Y%m%d-%H%M%S')}.json").write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
