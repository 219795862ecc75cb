"""An output belongs to one training at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mtt.disk import lock
from mtt.errors import ConfigError


@contextmanager
def claimed(output: Path) -> Iterator[None]:
    """Keep other trainings from the same ``output`` and its checkpoint, however this one ends.

    Two of them in one folder would leave the model of one beside the checkpoint of the other.
    The mark is a locked file ``.model.pt.claim`` beside the output. One that a killed process
    left is not locked, and claims nothing. A file system without locks keeps no process out.

    :raises ConfigError: another process has it.
    """
    mark = output.with_name(f".{output.name}.claim")
    descriptor = _locked(mark, output)
    try:
        yield
    finally:
        # while the lock is held: who waits for this name sees that it is another file now
        with suppress(OSError):
            mark.unlink()
        os.close(descriptor)


def _locked(mark: Path, output: Path) -> int:
    while True:
        try:
            descriptor = os.open(mark, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            what = f"cannot be written: {error.strerror}"
            raise ConfigError(what, where=str(output)) from error
        try:
            lock(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            raise ConfigError(
                "another process is training to this output",
                where=str(output),
                hint="name another one with -o, or wait for its end",
            ) from error
        except OSError:
            return descriptor
        with suppress(OSError):
            if os.path.samestat(os.stat(mark), os.fstat(descriptor)):
                return descriptor
        os.close(descriptor)  # removed by the one before, just now
