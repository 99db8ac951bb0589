"""What is measured, by name: `run(bench)` of each measures and gives its tables."""

from . import download, upload

SCENARIOS = {"upload": upload, "download": download}
