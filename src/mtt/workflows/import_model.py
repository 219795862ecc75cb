"""A file of another program becomes an ordinary checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mtt.checkpoint import write
from mtt.checkpoint.format import PROVENANCE
from mtt.errors import ConfigError
from mtt.fetching import located, named_by_address
from mtt.registry import Architecture
from mtt.workflows.overwriting import Named, refuse_overwriting
from mtt.workflows.run.folder import check_writable
from mtt.workflows.run.foreign import imported


class ImportedFile(NamedTuple):
    """A checkpoint that was written.

    :param hypers: options of its model that are not the architecture's defaults.
    """

    path: Path
    architecture: str
    hypers: dict[str, object]


def import_model(
    source: str | Path,
    output: str | Path | None = None,
    *,
    token: str | None = None,
    architectures: Sequence[str | Path] = (),
) -> ImportedFile:
    """Write the model in ``source`` as a checkpoint of mtt; nothing in it is run.

    :param source: a checkpoint of another program, or its address.
    :param output: the checkpoint [default: the name of ``source`` with ``-imported.ckpt``, here].
    :param token: for a server that asks for one.
    :param architectures: folders of architectures outside of the package.
    :raises CheckpointError: ``source`` cannot be imported; the message says what it is.
    :raises ConfigError: ``output`` cannot be written.
    """
    if output is not None:
        _check_suffix(Path(output))
    found = located(source, token)
    target = Path(f"{found.path.stem}-imported.ckpt") if output is None else Path(output)
    check_writable(target)
    refuse_overwriting([Named(target, "the checkpoint")], [Named(found.path, "the file to import")])
    with named_by_address(found):
        checkpoint, architecture = imported(found.path, architectures)
    if found.url:
        checkpoint[PROVENANCE]["imported"]["url"] = found.url
    write(target, checkpoint)
    return ImportedFile(
        target, architecture.name, changed(checkpoint["model_hypers"], architecture)
    )


def _check_suffix(target: Path) -> None:
    if target.suffix != ".ckpt":
        raise ConfigError(
            "what is imported is a checkpoint",
            where=str(target),
            hint=f"name it {target.with_suffix('.ckpt')}; mtt export makes other files of it",
        )


def changed(hypers: dict[str, object], architecture: Architecture) -> dict[str, object]:
    """Options of a model that an options file has to name: those that are not defaults."""
    defaults = {**architecture.model.platform_hypers(), **architecture.default_hypers["model"]}
    return {key: value for key, value in hypers.items() if defaults.get(key) != value}
