#!/usr/bin/env python3
"""Inspection beside FFmpeg's own command line, as ratios in one run.

    tests/bench/inspection.py PROGRAMS_FOLDER [ROUNDS]

PROGRAMS_FOLDER holds muniment and muniment-inspector (target/release). The file is 720p25 H.264 with AAC, 500 MB, made
by repeating 20 encoded seconds. Each round runs ours and theirs in turn; the table shows the median of the rounds.

gate  muniment inspect                 against  ffmpeg -c copy -f null  plus  ffmpeg -skip_frame nokey -f null
deep  muniment inspect --deep - gate   against  ffmpeg -f null with blackdetect, freezedetect, silencedetect, ebur128
      (on the first 60 seconds)
"""
import os
import statistics
import subprocess
import sys
import tempfile
import time

QUIET = ["ffmpeg", "-nostdin", "-v", "error"]


def run(*words):
    """Wall and CPU seconds of a command, those of its children included."""
    begun = time.monotonic()
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    # muniment inspect ends with 1 where it has findings: the picture is a test pattern.
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        sys.exit(f"failed: {' '.join(words)}")
    return time.monotonic() - begun, usage.ru_utime + usage.ru_stime


def make_recording(folder):
    """500 MB of 20 seconds over and over."""
    piece, whole = (os.path.join(folder, f"{name}.mp4") for name in ("piece", "whole"))
    subprocess.check_call([
        *QUIET, "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=25:d=20", "-f", "lavfi", "-i", "sine=d=20",
        "-vf", "noise=alls=12:allf=t", "-c:v", "libx264", "-preset", "veryfast", "-b:v", "5M", "-maxrate", "5M",
        "-bufsize", "10M", "-pix_fmt", "yuv420p", "-g", "250", "-c:a", "aac", piece])
    repeats = 500_000_000 // os.path.getsize(piece)
    subprocess.check_call([*QUIET, "-stream_loop", str(repeats), "-i", piece, "-c", "copy", whole])
    return whole


def total(*runs):
    return tuple(map(sum, zip(*runs)))


def main():
    programs, rounds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    muniment = os.path.join(programs, "muniment")
    with tempfile.TemporaryDirectory() as folder:
        whole, minute = make_recording(folder), os.path.join(folder, "minute.mp4")
        subprocess.check_call([*QUIET, "-t", "60", "-i", whole, "-c", "copy", minute])
        print(f"{os.path.getsize(whole) / 1e6:.0f} MB, {os.cpu_count()} cores, {rounds} rounds, load {os.getloadavg()[0]:.1f}")
        inspect = [muniment, "inspect", "--type", "WVID"]
        filters = ["-vf", "blackdetect,freezedetect", "-af", "silencedetect,ebur128", "-f", "null", "-"]
        seen = {}
        for _ in range(rounds):
            gate = run(*inspect, whole)
            copy = run(*QUIET, "-i", whole, "-c", "copy", "-f", "null", "-")
            keys = run(*QUIET, "-skip_frame", "nokey", "-threads", "2", "-i", whole, "-an", "-f", "null", "-")
            short = run(*inspect, minute)
            deep = run(*inspect, "--deep", minute)
            theirs = run(*QUIET, "-threads", "2", "-i", minute, *filters)
            deep = tuple(both - gate_alone for both, gate_alone in zip(deep, short))
            for name, ours, other in (("gate", gate, total(copy, keys)), ("deep", deep, theirs)):
                seen.setdefault(name, []).append((*ours, *other, ours[0] / other[0], ours[1] / other[1]))
    print("tier  ours wall s  CPU s   ffmpeg wall s  CPU s   wall ratio (spread)    CPU ratio (spread)")
    for name, figures in seen.items():
        middle = [statistics.median(column) for column in zip(*figures)]
        walls, cpus = ([row[at] for row in figures] for at in (4, 5))
        print(f"{name}  {middle[0]:11.2f} {middle[1]:6.2f} {middle[2]:15.2f} {middle[3]:6.2f}   "
              f"{middle[4]:5.2f} ({min(walls):.2f}-{max(walls):.2f})     {middle[5]:5.2f} ({min(cpus):.2f}-{max(cpus):.2f})")


if __name__ == "__main__":
    main()
