"""Log-ins: connection, key exchange, public key, SFTP up to its VERSION, and gone.

`light` keeps sixteen connections going with a client that costs little; `sftp` starts OpenSSH's own client, four at one time.
"""

import concurrent.futures
import time

from ..clients import CIPHERS
from ..light import Light
from ..process import run as run_program
from ..rounds import take_turns
from ..tables import beside

FIGURES = {"log-ins/s": "log-ins/s", "CPU ms": "server CPU ms/log-in"}


def light(server):
    Light(server, server.uploader).end()


def sftp(server):
    run_program("sftp", "-q", "-b", "/dev/null", "-F", server.ssh_config(server.uploader, CIPHERS["aes256-gcm"]), "bench")


def run(bench):
    measured = []
    with bench.servers(external=True) as servers:
        logins = bench.options.logins
        for what, log_in, at_once, count in (("light", light, 16, logins), ("sftp", sftp, 4, logins // 3)):
            def once(server, turn):
                many = count if turn else count // 5
                before, begun = server.settle()[0], time.monotonic()
                with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
                    for done in [pool.submit(log_in, server) for _ in range(many)]:
                        done.result()
                seconds = time.monotonic() - begun
                return {"log-ins/s": many / seconds, "CPU ms": (server.settle()[0] - before) * 1000 / many}

            measured.append(take_turns(f"{what}, {at_once} at once", servers, bench.pairs, once))
    return beside(measured, FIGURES, "client"), [each.as_json() for each in measured]
