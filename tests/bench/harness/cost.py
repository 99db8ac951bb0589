"""What a server costs: processor time and memory of all its processes, of those that ended too.

A control group counts exactly, whoever forks what. Where none can be made, /proc must do: it counts in hundredths of a second,
and misses a child that nobody waits for.
"""

import os
import pathlib
import resource
import time


def _own_group():
    """The version 2 control group of this process, as a folder; None where there is none."""
    try:
        mounts = pathlib.Path("/proc/self/mounts").read_text().splitlines()
        roots = [line.split()[1] for line in mounts if line.split()[2] == "cgroup2"]
        lines = pathlib.Path("/proc/self/cgroup").read_text().splitlines()
        own = next(line[3:] for line in lines if line.startswith("0::"))
        return pathlib.Path(roots[0] + own) if roots else None
    except (OSError, StopIteration):
        return None


class Group:
    """A control group of its own for the processes of one server."""

    exact = True

    def __init__(self, name):
        own = _own_group()
        if own is None:
            raise OSError("there is no version 2 control group")
        self.folder = own / f"muniment-bench-{os.getpid()}-{name}"
        self.folder.mkdir()
        if not (self.folder / "cpu.stat").exists():
            self.folder.rmdir()
            raise OSError("control groups don't count processor time here")

    def started(self, command):
        """The command line that starts a program inside."""
        return ["sh", "-c", 'echo $$ >"$0" && exec "$@"', str(self.folder / "cgroup.procs"), *command]

    def watch(self, pid):
        """Nothing to do: who is inside stays inside."""

    def seconds(self):
        first = (self.folder / "cpu.stat").read_text().split()
        return int(first[1]) / 1e6

    def pids(self):
        return [int(line) for line in (self.folder / "cgroup.procs").read_text().split()]

    def close(self):
        for _ in range(100):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)


class Tree:
    """The same by /proc: a process and everything below it."""

    exact = False

    def __init__(self):
        self.root = None

    def started(self, command):
        return list(command)

    def watch(self, pid):
        self.root = pid

    def seconds(self):
        return sum(cpu_seconds(pid) for pid in self.pids())

    def pids(self):
        found, left = [], [self.root]
        while left:
            pid = left.pop()
            found.append(pid)
            for children in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
                try:
                    left.extend(int(child) for child in children.read_text().split())
                except OSError:
                    pass
        return found

    def close(self):
        pass


def counter(name):
    """Counts for one server, as exactly as this machine lets us."""
    try:
        return Group(name)
    except OSError:
        return Tree()


def cpu_seconds(pid):
    """User and system time of a process and of its children that ended, in seconds; 0 when it has ended itself."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return sum(int(fields[index]) for index in (11, 12, 13, 14)) / os.sysconf("SC_CLK_TCK")


def quiet(cost, patience_s=3.0):
    """Waits until a server does nothing any more, and gives its processor time then."""
    seen, begun = cost.seconds(), time.monotonic()
    while time.monotonic() - begun < patience_s:
        time.sleep(0.1)
        now = cost.seconds()
        if now - seen < 0.002:
            return now
        seen = now
    return seen


def memory_bytes(pids):
    """Memory of processes, what they share divided among those that share it (PSS)."""
    total = 0
    for pid in pids:
        try:
            lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


class Clients:
    """Seconds, and processor time of the programs that ended meanwhile: of a client, as long as nobody else ends."""

    def __enter__(self):
        self._begun, self._before = time.monotonic(), self._ended()
        return self

    def __exit__(self, *_):
        self.seconds, self.cpu = time.monotonic() - self._begun, self._ended() - self._before

    @staticmethod
    def _ended():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime
