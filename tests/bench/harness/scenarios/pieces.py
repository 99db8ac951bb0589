"""The floor: what each piece of an upload costs alone. The pieces are in Rust; their program prints the table."""

import subprocess

from ..clients import ROOT
from ..process import Failure


def run(_):
    ran = subprocess.run(["cargo", "bench", "--quiet", "--locked", "--bench", "pieces"], cwd=ROOT, capture_output=True, text=True,
                         check=False)
    if ran.returncode:
        raise Failure(f"cargo bench --bench pieces ended with {ran.returncode}:\n{ran.stderr}")
    return ran.stdout.strip(), []
