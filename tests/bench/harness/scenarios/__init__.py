"""What is measured, by name: `run(bench)` of each measures, and gives a table and all figures."""

from . import ack, download, first_byte, idle, logins, many, pieces, small, upload

SCENARIOS = {
    "upload": upload, "download": download, "small": small, "many": many, "ack": ack, "logins": logins,
    "first-byte": first_byte, "idle": idle, "pieces": pieces,
}
