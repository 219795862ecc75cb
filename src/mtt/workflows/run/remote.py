"""Copies of a run's files at a URL, made in the background while the training continues."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

SNAPSHOTS = ".remote"
PAUSES = (2.0, 10.0)
"""Seconds before the second and the third attempt."""
PATIENCE = 600.0
"""Seconds that the end of a run waits for copies to be made."""

# checkpoints are replaced, never written into: a second name keeps the content
_REPLACED = ".ckpt"
# change while the training runs, and are complete at every event
_FOLDERS = ("checkpoints", "indices")


class RemoteCopy:
    """A listener that keeps a copy of the run folder ``root`` at ``url``.

    Changed files are taken at ``run_start`` and after every ``checkpoint``; the rest (loggers'
    folders, the exported model) when the run is closed. What is copied is a snapshot: the file
    as it was at the event. A thread copies them one after the other; of a file that waits, only
    the newest snapshot is kept. A copy that fails is tried again, then reported; the training
    continues.

    :param url: any URL that fsspec knows; files go to ``url/<path in the run folder>``.
    :param pauses: seconds before each further attempt.
    :param patience: seconds that :meth:`close` waits.
    """

    def __init__(
        self,
        url: str,
        root: Path,
        *,
        pauses: Sequence[float] = PAUSES,
        patience: float = PATIENCE,
    ) -> None:
        import fsspec

        self._fs, self._base = fsspec.core.url_to_fs(url)
        self._url, self._root = url.rstrip("/"), root
        self._pauses, self._patience = pauses, patience
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._waiting: OrderedDict[str, Path] = OrderedDict()
        self._running = ""
        self._count = 0
        self._closed = False
        self._changed = threading.Condition()
        shutil.rmtree(root / SNAPSHOTS, ignore_errors=True)  # of a killed process
        # a hanging server must not keep the process alive
        self._thread = threading.Thread(target=self._work, name="remote copy", daemon=True)
        self._thread.start()

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category in ("run_start", "checkpoint"):
            self._take(self._complete())

    def close(self) -> None:
        """Copy all that changed, and wait until it is done, at most ``patience`` seconds."""
        if self._closed:
            return
        self._take(self._everything())
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._waiting or self._running:
                logger.info("copying the last files to %s", self._url)
        self._thread.join(self._patience)
        with self._changed:
            late = [name for name in (self._running, *self._waiting) if name]
            self._waiting.clear()
        if late:
            logger.warning(
                "not copied to %s within %g s, and given up: %s",
                self._url,
                self._patience,
                ", ".join(late),
            )
        shutil.rmtree(self._root / SNAPSHOTS, ignore_errors=True)

    # ------------------------------------------------------------------ snapshots

    def _complete(self) -> Iterator[Path]:
        """Files that are not being written while an event is reported."""
        for folder in (self._root, *(self._root / name for name in _FOLDERS)):
            if folder.is_dir():
                yield from (path for path in folder.iterdir() if path.is_file())

    def _everything(self) -> Iterator[Path]:
        return (path for path in self._root.rglob("*") if path.is_file())

    def _take(self, paths: Iterator[Path]) -> None:
        """Make a snapshot of every file that changed, oldest first."""
        changed = []
        for path in paths:
            name = path.relative_to(self._root).as_posix()
            if any(part.startswith(".") for part in name.split("/")):
                continue  # temporary files
            with contextlib.suppress(FileNotFoundError):  # an old checkpoint, removed meanwhile
                stat = path.stat()
                mark = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
                if self._seen.get(name) != mark:
                    changed.append((mark, name, path))
        for mark, name, path in sorted(changed):
            try:
                snapshot = self._snapshot(path)
            except FileNotFoundError:
                continue
            except OSError as error:
                logger.warning(
                    "%s cannot be copied to %s now (%s); it is tried again later",
                    path,
                    self._url,
                    error,
                )
                continue
            self._seen[name] = mark
            self._enqueue(name, snapshot)

    def _snapshot(self, path: Path) -> Path:
        self._count += 1
        folder = self._root / SNAPSHOTS
        folder.mkdir(exist_ok=True)
        snapshot = folder / f"{self._count}-{path.name}"
        if path.suffix == _REPLACED:
            with contextlib.suppress(OSError):  # a file system without hard links
                os.link(path, snapshot)
                return snapshot
        shutil.copyfile(path, snapshot)
        return snapshot

    def _enqueue(self, name: str, snapshot: Path) -> None:
        with self._changed:
            # a newer one takes the place of one that waits, so that no file waits for ever
            older = self._waiting.get(name)
            self._waiting[name] = snapshot
            self._changed.notify_all()
        if older is not None:
            older.unlink(missing_ok=True)

    # ------------------------------------------------------------------ the thread

    def _work(self) -> None:
        while True:
            with self._changed:
                self._running = ""
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                self._running, snapshot = self._waiting.popitem(last=False)
            self._copy(self._running, snapshot)
            snapshot.unlink(missing_ok=True)

    def _copy(self, name: str, snapshot: Path) -> None:
        for attempt in range(len(self._pauses) + 1):
            try:
                self._put(snapshot, f"{self._base.rstrip('/')}/{name}")
            except Exception as error:  # noqa: BLE001
                # every backend of fsspec has its own errors
                if attempt == len(self._pauses):
                    logger.warning(
                        "%s was not copied to %s/%s in %d attempts (%s: %s); the training "
                        "continues",
                        name,
                        self._url,
                        name,
                        attempt + 1,
                        type(error).__name__,
                        error,
                    )
                    self._seen.pop(name, None)  # tried again with the next event
                    return
                time.sleep(self._pauses[attempt])
            else:
                logger.debug("copied %s to %s/%s", name, self._url, name)
                return

    def _put(self, snapshot: Path, target: str) -> None:
        folder, _, file = target.rpartition("/")
        self._fs.makedirs(folder, exist_ok=True)
        if "file" not in _protocols(self._fs):
            # an object store shows an object when it is whole
            self._fs.put_file(str(snapshot), target)
            return
        part = f"{folder}/.{file}.part"
        self._fs.put_file(str(snapshot), part)
        os.replace(part, target)


def local_folder(url: str) -> Path | None:
    """The folder that ``url`` is on this machine; None for another kind of storage."""
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(url)
    return Path(path) if "file" in _protocols(filesystem) else None


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
