#!/usr/bin/python3
"""An inspector of recordings for tests of what the server does around one: it speaks the protocol of `inspect::wire`.

What it finds is made up; what it does is told by files beside it: `hold` keeps deep jobs waiting, `crash-<ext>` ends them
without an answer. Each job writes a line to `jobs` when it begins.
"""
import json, os, socket, struct, sys, time

folder = os.path.dirname(os.path.abspath(__file__))
line = socket.socket(fileno=0)


def exactly(count):
    data = b""
    while len(data) < count:
        piece = line.recv(count - len(data))
        if not piece:
            sys.exit(3)
        data += piece
    return data


def receive():
    tag, length = struct.unpack("<cI", exactly(5))
    return tag, exactly(length)


def send(tag, payload):
    line.sendall(struct.pack("<cI", tag, len(payload)) + payload)


def read_all(size):
    offset = 0
    while offset < size:
        send(b"R", struct.pack("<QI", offset, 1 << 20))
        _, data = receive()
        offset += len(data)


def report(job, tier):
    ext = job["ext"]
    video = dict(codec="mpeg4" if ext == "avi" else "h264", width=1280, height=720, frame_rate_milli=25000,
                 duration_ms=300000, packets=7500, key_frames=30, key_frames_decoded=30)
    audio = dict(codec="aac", sample_rate_hz=48000, channels=2, duration_ms=300000, packets=14000)
    media = dict(declared_ms=300000, measured_ms=300000, bit_rate=1000000, video=[video], audio=[audio])
    if tier == "deep":
        media["deep"] = dict(loudness_lufs_centi=-2000)
    container = dict(mkv="matroska", mpg="mpeg_ps", wmv="asf").get(ext, ext)
    return dict(v=1, inspector="worker.py 1", tier=tier, container=container, size_bytes=job["size_bytes"], faults=[],
                media=media)


tag, job = receive()
job = json.loads(job)
task = job["task"]
name = task if isinstance(task, str) else next(iter(task))
with open(os.path.join(folder, "jobs"), "a") as jobs:
    jobs.write(f"{name} {job['ext']} {job['size_bytes']}\n")
if name == "probe":
    answer = dict(probe=dict(layers=[]))
elif name == "gate":
    read_all(job["size_bytes"])
    answer = dict(report=report(job, "gate"))
elif name == "deep":
    while os.path.exists(os.path.join(folder, "hold")):
        send(b"R", struct.pack("<QI", 0, 16))
        receive()
        time.sleep(0.02)
    if os.path.exists(os.path.join(folder, "crash-" + job["ext"])):
        os.abort()
    read_all(job["size_bytes"])
    for at_ms in range(0, 300000, 25000):
        width, height = task["deep"]["picture_width"], 180
        send(b"P", struct.pack("<IIq", width, height, at_ms) + bytes([at_ms // 2000]) * (width * height * 3))
    answer = dict(report=report(job, "deep"))
elif name == "playback":
    for _ in range(3):
        send(b"O", b"\0\0\0\x18ftypisom" + b"copy" * 50000)
    answer = dict(made=dict(duration_ms=300000, width=854, height=480, audio=True))
else:
    answer = dict(failed=dict(detail="nothing to do"))
send(b"A", json.dumps(answer).encode())
