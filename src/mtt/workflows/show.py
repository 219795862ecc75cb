"""What any file or folder that mtt writes or reads is: for ``mtt show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtt import registry
from mtt.checkpoint import describe, newest_valid
from mtt.data.describe import describe_packed
from mtt.data.store import is_packed
from mtt.errors import CheckpointError, ConfigError, MttError
from mtt.options import load_eval_options, load_options, resolve
from mtt.options.load import read_yaml
from mtt.workflows.folder import OPTIONS, RunFolder

_OF_RUN = ("architecture", "epoch", "step", "best_epoch", "best_metric", "atomic_types", "targets")


def show(path: str | Path, architectures: Sequence[str | Path] = ()) -> dict[str, Any]:
    """What ``path`` is, as JSON has it.

    A checkpoint, an archive, an exported model (:func:`mtt.checkpoint.describe`), a packed data
    set, the folder of a run, or an options file. Always there are ``file``, ``kind`` and
    ``problem``, None for what is sound. Of a damaged one, what can still be trusted is told.

    :param architectures: folders of architectures outside of the package.
    :raises MttError: there is nothing, or nothing that mtt knows.
    """
    path = Path(path)
    try:
        if is_packed(path):
            return describe_packed(path)
        if (path / OPTIONS).is_file() or (path / "checkpoints").is_dir():
            return _run(RunFolder(path))
        if path.suffix in (".yaml", ".yml") and path.is_file():
            return _options(path, architectures)
        return describe(path)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _run(folder: RunFolder) -> dict[str, Any]:
    newest = newest_valid(folder.checkpoints)
    told = describe(newest.path) if newest.path is not None else {}
    damaged = [str(problem) for problem in newest.damaged]
    problem = None
    if newest.path is None:
        problem = "none of its checkpoints can be read" if damaged else "it has no checkpoint yet"
    return {
        "file": str(folder.path),
        "kind": "folder of a run",
        "problem": problem,
        "finished": folder.model.is_file(),
        "newest_checkpoint": str(newest.path) if newest.path is not None else None,
        "damaged_checkpoints": damaged,
        **{key: told.get(key) for key in _OF_RUN},
    }


def _options(path: Path, architectures: Sequence[str | Path]) -> dict[str, Any]:
    """Options with all defaults in their places; of wrong ones, what is wrong."""
    kind, options, problem = "YAML file", None, None
    try:
        values = read_yaml(path)
        if isinstance(values, dict) and "architecture" in values:
            kind = "options of mtt train"
            raw = load_options(path)
            with raw.locating():
                architecture = registry.find(raw.architecture_name, architectures).load()
            options = resolve(raw, architecture).to_dict()
        elif isinstance(values, list) or (isinstance(values, dict) and "systems" in values):
            kind = "options of mtt eval"
            options = {"data_sets": [one.to_dict() for one in load_eval_options(path)]}
        else:
            raise ConfigError(
                "is a YAML file, but holds no options: neither architecture nor systems",
                where=str(path),
            )
    except MttError as error:
        problem = str(error)
    return {"file": str(path), "kind": kind, "problem": problem, "options": options}
