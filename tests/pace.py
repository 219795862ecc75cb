"""Why the suite is quicker than its parts; a plugin of pytest."""

from __future__ import annotations

import gc
import os


def pytest_configure() -> None:
    # what is written is read by processes of this machine: no test waits for the disk
    os.fsync = lambda descriptor: None
    gc.disable()  # what is collected stays: to look through it takes five seconds


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
