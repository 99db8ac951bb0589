"""One run of one scenario: what was asked for, where files lie, and the servers."""

import contextlib
import dataclasses
import os

from .process import folder_of_our_own
from .servers import Muniment, OpenSsh, Transport

MEMORY = "/dev/shm"
WARM_UP_MB = 512
SFTP_SERVER = "/usr/lib/openssh/sftp-server"


@dataclasses.dataclass
class Cell:
    """One client with one cipher, one file of this size, so many rounds."""

    client: str
    cipher: str
    size_mb: int
    pairs: int
    external: bool = True
    inspected: bool = False

    @property
    def size_bytes(self):
        return self.size_mb << 20

    @property
    def warm_up_bytes(self):
        """Of the file of the round that doesn't count."""
        return min(self.size_mb, WARM_UP_MB) << 20

    @property
    def what(self):
        return f"{self.client}, {self.cipher}, {self.size_mb} MiB"

    def contestants(self, servers):
        """Who takes part."""
        return [server for server in servers if server.name != "sftp-server" or self.external]


class Bench:
    """What a scenario needs."""

    def __init__(self, options, store, cells=(), pairs=3, size_mb=1024, files=None):
        self.options, self.store = options, store
        self.files = files or options.files
        self.cards = min(self.files, options.cards)
        self.cells, self.pairs, self.size_bytes = cells, pairs, size_mb << 20

    def scratch(self):
        """A folder for what clients send and take: in memory, whatever the store is."""
        return folder_of_our_own(MEMORY if os.path.isdir(MEMORY) else None)

    @contextlib.contextmanager
    def servers(self, external=False, transport=False):
        """All contestants, running; the first is what the others are compared with. OpenSSH's SFTP server as a program, and Muniment's SSH and SFTP
        with nothing behind them, take part where that could matter, and when it is asked for."""
        options = self.options
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(folder_of_our_own(self.store))
            makers = [lambda: OpenSsh("internal-sftp", folder / "internal", "internal-sftp")]
            if external and options.external:
                makers.append(lambda: OpenSsh("sftp-server", folder / "external", SFTP_SERVER))
            makers.append(lambda: Muniment("muniment", folder / "muniment", options.binary, options.deep))
            if transport and options.transport:
                makers.append(lambda: Transport("SSH and SFTP alone", folder / "transport"))
            if options.also:
                makers.append(lambda: Muniment("also", folder / "also", options.also, options.deep))
            servers = []
            for make in makers:
                server = make()
                stack.callback(server.stop)
                servers.append(server)
            yield servers
