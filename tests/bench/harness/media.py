"""Files that the gate accepts, of any size, each unlike the others."""

import os
import struct
import subprocess

from .process import Failure


def make_recording(path, size_bytes, seconds=75):
    """A recording that plays, filled up to a size with random bytes in a box that players pass over."""
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s=320x240:r=10:d={seconds}", "-f", "lavfi", "-i",
         f"sine=d={seconds}", "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-c:a", "aac", "-movflags",
         "+faststart", "-f", "mp4", str(path)], check=True)
    with open(path, "ab") as file:
        write_hole(file, size_bytes - file.tell())


def write_hole(file, length):
    """A box that players pass over, so many bytes long: the same random megabyte again and again."""
    file.write(struct.pack(">I4sQ", 1, b"free", length))
    length -= 16
    block = os.urandom(1 << 20)
    while length > 0:
        file.write(block[: min(length, len(block))])
        length -= len(block)


def renumber(path, number):
    """Makes a recording other content than before: its last bytes, which lie in the box that is passed over."""
    with open(path, "r+b") as file:
        file.seek(-8, os.SEEK_END)
        file.write(number.to_bytes(8, "big"))


def boxes(data):
    """The boxes of an MP4: kind, where it begins, how long it is."""
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        if size == 1:
            size = struct.unpack(">Q", data[at + 8:at + 16])[0]
        yield kind, at, size
        at += size


def filled(clip, out, size, index_first):
    """The clip, made `size` bytes long by random bytes in a box that players pass over, before its index or at the end."""
    data = clip.read_bytes()
    found = {kind: (at, length) for kind, at, length in boxes(data)}
    at, length = found[b"moov"]
    if index_first:
        head, tail = data, b""
    else:
        # Where the index was, its bytes are passed over, so that offsets stay what they are.
        hole = struct.pack(">I4s", length, b"free") + os.urandom(length - 8)
        head, tail = data[:at] + hole + data[at + length:], data[at:at + length]
    left = size - len(head) - len(tail)
    with open(out, "wb") as file:
        file.write(head)
        write_hole(file, left)
        file.write(tail)


SMALL_BYTES = 64 * 1024


def make_cards(folder, count):
    """So many JPEGs of 64 KiB, each unlike the others: pictures of the size of a card at 300 dpi, filled up by a comment."""
    pictures = _pictures(folder)
    for number in range(count):
        picture = pictures[number % len(pictures)]
        first = 4 + int.from_bytes(picture[4:6], "big")
        left = SMALL_BYTES - len(picture)
        comment = b"\xff\xfe" + (left - 2).to_bytes(2, "big") + os.urandom(left - 4)
        (folder / f"{number}.jpg").write_bytes(picture[:first] + comment + picture[first:])
    return [folder / f"{number}.jpg" for number in range(count)]


def _pictures(folder):
    """Twenty pictures a little smaller than that, as good as the size allows."""
    for quality in range(2, 32):
        subprocess.run(
            ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=1012x638:r=1:d=20,noise=alls=8:allf=t",
             "-pix_fmt", "yuvj420p", "-c:v", "mjpeg", "-q:v", str(quality), str(folder / "picture-%02d.jpg")], check=True)
        pictures = [path.read_bytes() for path in sorted(folder.glob("picture-*.jpg"))]
        if max(map(len, pictures)) < SMALL_BYTES - 64:
            return pictures
    raise Failure("no quality makes pictures small enough")
