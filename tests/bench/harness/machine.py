"""What the figures were made on."""

import contextlib
import os
import pathlib
import platform
import re
import subprocess
import time

from .clients import RCLONE, ROOT

FLAGS = ("aes", "pclmulqdq", "sha_ni", "avx2", "avx512f", "vaes", "vpclmulqdq")


def _first_line(*command):
    try:
        ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    except OSError:
        return "?"
    return next(iter((ran.stdout + ran.stderr).strip().splitlines()), "?")


AUTOGROUP = pathlib.Path("/proc/sys/kernel/sched_autogroup_enabled")


@contextlib.contextmanager
def fair_to_threads():
    """Linux shares processors out by session first: each of OpenSSH's connections is a session of its own and would count as
    much as Muniment as a whole, or as all clients together. That is off while we measure."""
    try:
        before = AUTOGROUP.read_text()
        AUTOGROUP.write_text("0")
    except OSError:
        yield
        return
    try:
        yield
    finally:
        AUTOGROUP.write_text(before)


def busy_percent():
    """How much of the processors others use, while we wait for a second."""
    def look():
        times = [int(word) for word in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        return sum(times[:8]), times[3] + times[4]

    before, idle_before = look()
    time.sleep(1)
    now, idle_now = look()
    return 100 * (1 - (idle_now - idle_before) / (now - before))


def describe(stores, binary):
    """Machine and versions, by what they are."""
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    flags = re.search(r"(?m)^flags\s*:(.*)$", cpu)
    flags = set(flags[1].split()) if flags else set()
    model = re.search(r"(?m)^model name\s*:\s*(.*)$", cpu)
    memory = int(re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    system = dict(re.findall(r'(?m)^(\w+)="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text()))
    commit = _first_line("git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude", "*")
    # A build of somebody's own needn't be of this commit.
    own = binary == ROOT / "target/release/muniment"
    return {
        "processor": f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores, "
                     f"{', '.join(flag for flag in FLAGS if flag in flags)}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{system.get('PRETTY_NAME', '?')}, Linux {platform.release()}",
        "store": ", ".join(sorted(file_system(store) for store in stores)),
        "OpenSSH": _first_line("ssh", "-V"),
        "rclone": _first_line(RCLONE, "version"),
        "lftp": (_first_line("lftp", "--version").split(" | ") + ["?"])[1],
        "Muniment": commit if own else f"a build of its own ({_first_line(binary, '--version')})",
    }


def file_system(path):
    """Its kind, such as tmpfs."""
    return _first_line("findmnt", "-n", "-o", "FSTYPE", "--target", path)


def as_list(described):
    """The same in Markdown."""
    return "\n".join(f"- {what}: {value}" for what, value in described.items())
