"""Reads thousands of damaged and malicious files: what happens must be an error of `mtt`.

Every file is a sound one with random mutations (`mutations.py`), among them ones that were signed
again with right checksums. A file may still be sound, or it is refused by an `MttError` that names
it; another exception, code that runs, more than ten seconds, or a message that names no file is
a fault, and told with the number that makes the same file again::

    python benchmarks/fuzz.py                      # 10000 files of each kind
    python benchmarks/fuzz.py -n 100 checkpoint    # 100 checkpoints
    python benchmarks/fuzz.py --file 17 checkpoint # one file: keeps it, shows the traceback

A part of it runs in the tests (`tests/faults/test_fuzz_readers.py`).
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import io
import resource
import shutil
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import fuzz_samples as samples
import torch
from metatomic.torch import NeighborListOptions
from mutations import SENTINEL, mutate_bytes, mutate_json, mutate_text
from mutations_zip import mutate_zip

from mtt import registry
from mtt.checkpoint import describe, peek, read, read_archive, verify
from mtt.cli.main import run
from mtt.data import Dataset, read_dataset
from mtt.data.statistics import statistics
from mtt.errors import MttError
from mtt.options import load_eval_options, load_options, resolve

LIMIT = 10.0  # seconds of the processor that reading a file of a few kilobytes may take
MEMORY = 4 * 2**30  # bytes that reading may add


class Slow(BaseException):
    """Reading took longer than ``LIMIT``; no ``Exception``, so that nothing swallows it."""


class Kind(NamedTuple):
    """A kind of file: how a sound one is made, how it is spoilt, and who reads it."""

    sample: Callable[[Path], Path]
    mutate: Callable[[Random, bytes], bytes]
    readers: tuple[Callable[[Path], Any], ...]
    command: tuple[str, ...]  # of mtt, for one file in ten


class Fault(Exception):
    """What must not happen."""


@functools.cache
def _architecture() -> Any:
    return registry.find("soap_bpnn").load()


def _options(path: Path) -> None:
    raw = load_options(path)
    with raw.locating():
        registry.find(raw.architecture_name)
    resolve(raw, _architecture())


def _structures(path: Path) -> None:
    """As `mtt data stats FILE` does, and every label that there may be."""
    forces = {"key": "forces"}
    targets = {"energy": {"key": "energy", "forces": forces, "stress": True}}
    systems = {"read_from": str(path), "length_unit": "angstrom"}
    for one in load_eval_options({"systems": systems, "targets": targets}):
        read_dataset(one)


def _store(path: Path) -> None:
    dataset = Dataset.open(path.parent if path.is_file() else path)
    statistics(dataset)
    dataset.prepare([NeighborListOptions(3.0, True, True)])
    for i in range(len(dataset)):
        dataset[i]


KINDS = {
    "options": Kind(samples.options, mutate_text, (_options,), ("check",)),
    "eval options": Kind(samples.eval_options, mutate_text, (load_eval_options,), ()),
    "extxyz": Kind(samples.extxyz, mutate_text, (_structures,), ("data", "stats")),
    "compressed extxyz": Kind(samples.compressed, mutate_bytes, (_structures,), ("data", "stats")),
    "checkpoint": Kind(samples.checkpoint, mutate_zip, (read, peek, verify, describe), ("show",)),
    "archive": Kind(samples.archive, mutate_zip, (read_archive, verify, describe), ("show",)),
    "exported model": Kind(samples.exported, mutate_zip, (verify, describe), ("show",)),
    "store: description": Kind(samples.store, mutate_json, (_store,), ("data", "stats")),
    "store: array": Kind(samples.store, mutate_bytes, (_store,), ("data", "stats")),
}


class Fuzzer:
    """Sound files of every kind in ``folder``, and what was found of mutated ones."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._samples: dict[str, Path] = {}

    def file(self, kind: str, number: int) -> Path:
        """The mutated file ``number`` of a kind."""
        if kind not in self._samples:
            home = self.folder / kind.replace(": ", "-").replace(" ", "-")
            home.mkdir()
            self._samples[kind] = KINDS[kind].sample(home)
            for reader in KINDS[kind].readers:
                reader(self._samples[kind])  # the sound file itself is not refused
        sound, rng = self._samples[kind], Random(f"{kind} {number}")
        if sound.is_file():
            path = self.folder / f"mutated{''.join(sound.suffixes)}"
            path.write_bytes(KINDS[kind].mutate(rng, sound.read_bytes()))
            return path
        folder = self.folder / "mutated.store"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(sound, folder)
        pattern = "*.json" if kind.endswith("description") else "*.npy"
        path = rng.choice(sorted(folder.rglob(pattern)))
        path.write_bytes(KINDS[kind].mutate(rng, path.read_bytes()))
        return folder

    def trial(self, kind: str, number: int) -> bool:
        """Read the mutated file ``number``; whether it was refused.

        :raises Fault: something else happened than that, or than reading it.
        """
        path = self.file(kind, number)
        refused = [self._read(reader, path) for reader in KINDS[kind].readers]
        if number % 10 == 0 and KINDS[kind].command:
            self._command([*KINDS[kind].command, str(path)])
        if (self.folder / SENTINEL).exists():
            (self.folder / SENTINEL).unlink()
            raise Fault("the file ran a program")
        return any(refused)

    def _read(self, reader: Callable[[Path], Any], path: Path) -> bool:
        try:
            with _within(LIMIT), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                reader(path)
        except MttError as error:
            unnamed = [one for one in error.problems if path.name not in str(one)]
            if unnamed:
                raise Fault(f"the message names no file: {unnamed[0]}") from error
            return True
        except (Exception, Slow) as error:
            raise Fault(f"{type(error).__name__}: {error}"[:300]) from error
        return False

    def _command(self, words: list[str]) -> None:
        stream = io.BytesIO()
        text = io.TextIOWrapper(stream, encoding="utf-8")  # strict, as a terminal is
        with _within(LIMIT), warnings.catch_warnings(), contextlib.redirect_stdout(text):
            warnings.simplefilter("ignore")
            with contextlib.redirect_stderr(text):
                code = run(words)
        text.flush()
        told = stream.getvalue().decode()
        if code not in (0, 1) or "Traceback" in told:
            raise Fault(f"mtt {' '.join(words)} ends with {code}: {told[-600:]}")


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise Slow(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(more: int = MEMORY) -> None:
    """Let this process take ``more`` bytes than now: what asks for more gets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    top = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (top, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _all(fuzzer: Fuzzer, kind: str, n_files: int) -> int:
    """Try ``n_files``; prints what was found, returns the number of faults."""
    start, refused = time.monotonic(), 0
    faults: Counter[str] = Counter()
    for number in range(n_files):
        try:
            refused += fuzzer.trial(kind, number)
        except Fault as fault:
            faults[str(fault)[:120]] += 1
            if faults[str(fault)[:120]] == 1:
                print(f"{kind} {number}: {fault}", flush=True)
    seconds = time.monotonic() - start
    total = sum(faults.values())
    print(
        f"{kind}: {n_files} files, {refused} refused, {total} faults, {seconds:.0f} s", flush=True
    )
    return total


def _one(fuzzer: Fuzzer, kind: str, number: int) -> int:
    path = fuzzer.file(kind, number)
    kept = Path.cwd() / path.name
    print(f"kept as {shutil.copytree(path, kept) if path.is_dir() else shutil.copy(path, kept)}")
    try:
        print("refused" if fuzzer.trial(kind, number) else "read")
    except Fault:
        traceback.print_exc()
        return 1
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help=f"some of: {', '.join(KINDS)}; all if none")
    parser.add_argument("-n", type=int, default=10_000, help="files of each kind")
    parser.add_argument("--file", type=int, help="the one file of this number")
    given = parser.parse_args()
    torch.set_num_threads(1)
    faults = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        fuzzer = Fuzzer(Path(folder))
        if given.file is not None:
            return _one(fuzzer, given.kinds[0], given.file)
        stack.enter_context(contextlib.chdir(folder))
        _architecture()
        limit_memory()
        for kind in given.kinds or KINDS:
            faults += _all(fuzzer, kind, given.n)
    return int(faults > 0)


if __name__ == "__main__":
    raise SystemExit(main())
