"""Whether all ranks are about to train the same model on the same data, with the same programs."""

from __future__ import annotations

import hashlib
import json
import logging
import platform
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mtt._version import __version__
from mtt.errors import ConfigError, Problem
from mtt.options import Options
from mtt.options.training.batches import BatchOptions
from mtt.ranks import Ranks
from mtt.workflows.run.datasets import Data
from mtt.workflows.run.provenance import file_hash, fingerprint

log = logging.getLogger(__name__)

Facts = dict[str, str]
"""What a rank has, by name."""


def check_same_options(options: Options, seeded: bool, ranks: Ranks) -> None:
    """Whether ``options`` are those of the first rank.

    :param seeded: whether the file gives the seed; else each rank has drawn one.
    :raises ConfigError: names the ranks, and the options with both values. Raised on all ranks.
    """

    def own() -> Facts:
        values = options.to_dict()
        if not seeded:
            del values["seed"]
        return {key: json.dumps(one, default=str) for key, one in _flat(values)}

    _compare(own, ranks, "the same options file and the same -r")


def check_same_start(
    ranks: Ranks, data: Data, device: torch.device, dtype: torch.dtype, checkpoint: Path | None
) -> None:
    """Whether data, programs, device and checkpoint are those of the first rank.

    :param checkpoint: to start from.
    :raises ConfigError: names the ranks and what differs; or there are fewer structures than
        ranks. Raised on all ranks.
    """
    n = sum(len(one) for one in data.training)
    if n < ranks.size:
        what = f"{n} structures to train on are fewer than the {ranks.size} ranks"
        hint = f"train on {n} ranks at most, or on more data" if n else "give some to train on"
        raise ConfigError(what, where="training_set", hint=hint)

    def own() -> Facts:
        return {
            "mtt": __version__,
            "torch": str(torch.__version__),
            "numpy": np.__version__,
            "Python": platform.python_version(),
            "training and validation data": fingerprint(data)[:12],
            "device": device.type,
            "precision": str(dtype).removeprefix("torch."),
            "checkpoint": "" if checkpoint is None else file_hash(checkpoint)[:12],
        }

    _compare(own, ranks, "the same environment and the same files")


def check_several(ranks: Ranks, trainer: type, name: str) -> None:
    """Whether a trainer shares its work among ranks.

    :raises ConfigError: it does not, and there are several.
    """
    if ranks.size > 1 and not getattr(trainer, "__several_ranks__", False):
        raise ConfigError(
            f"the trainer of {name} trains in one process, not in {ranks.size}",
            where="architecture.name",
            hint="start one process; authors: see __several_ranks__ of TrainerInterface",
        )


def _compare(own: Callable[[], Facts], ranks: Ranks, remedy: str) -> None:
    def digest() -> str:
        # with many ranks the values themselves are much to send
        return hashlib.sha256(json.dumps(own(), sort_keys=True).encode()).hexdigest()

    if not ranks.differing(digest):
        return
    found = ranks.gather((socket.gethostname(), own()))
    first = found[0][1]
    problems = [
        Problem(f"rank {i} on {host} has {other.get(key)}, rank 0 has {first.get(key)}", key, hint)
        for i, (host, other) in enumerate(found)
        for hint in [f"give all ranks {remedy}"]
        for key in dict.fromkeys([*first, *other])
        if first.get(key) != other.get(key)
    ]
    raise ConfigError.collect(problems)


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``a.b.c`` and its value, of nested mappings."""
    if isinstance(values, Mapping) and values:
        for key, one in values.items():
            yield from _flat(one, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, values


def announce_ranks(ranks: Ranks, options: BatchOptions) -> None:
    """How many processes train, and what each of them has of a batch."""
    n, atoms = ranks.size, options.max_atoms_per_batch
    if n == 1:
        return
    if atoms is not None or options.batch_atoms is not None:
        size = "" if atoms is None else f" of up to {atoms} atoms"
        log.info("%d ranks share every batch%s", n, size)
        return
    own = options.batch_size_per_rank
    if own is not None:
        log.info("%d ranks: batches of %d structures, %d on each rank", n, own * n, own)
    elif options.batch_size < n:
        log.warning(
            "%d ranks share batches of %d structures: %d of them have nothing to do; a larger "
            "batch_size or fewer ranks use them better",
            n,
            options.batch_size,
            n - options.batch_size,
        )
    else:
        whole = options.batch_size
        log.info("%d ranks share every batch: %d structures, %g on each rank", n, whole, whole / n)
