"""Running other programs."""

import shutil
import socket
import subprocess
import tempfile
import time
import contextlib
import pathlib


class Failure(Exception):
    """Something that had to work didn't."""


def run(*command, **options):
    """Runs a program that must succeed; what it said, when it doesn't."""
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if ran.returncode:
        raise Failure(f"{command[0]} ended with {ran.returncode}: {' '.join(map(str, command))}\n{ran.stdout}{ran.stderr}")
    return ran


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for(port):
    """Waits until something listens."""
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.025)
    raise Failure(f"nothing listens on {port}")


@contextlib.contextmanager
def folder_of_our_own(below):
    """A folder that is gone afterwards, sealed files too."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="muniment-bench-", dir=below))
    try:
        yield folder
    finally:
        subprocess.run(["chattr", "-R", "-f", "-i", str(folder)], check=False, capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)
