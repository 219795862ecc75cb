"""What any file or folder that mtt writes or reads is: for ``mtt show``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtt import registry
from mtt.checkpoint import describe
from mtt.checkpoint.describe import describe_content
from mtt.checkpoint.read import NotOurs
from mtt.data.describe import describe_packed
from mtt.data.storage.store import is_packed
from mtt.errors import CheckpointError, ConfigError, MttError
from mtt.fetching import is_address, located, named_by_address
from mtt.options import load_eval_options, load_options, resolve
from mtt.options.foreign import check_ours
from mtt.options.yaml.load import read_yaml
from mtt.workflows.restart.runs import is_run
from mtt.workflows.run.foreign import imported_instead, refuse_programs
from mtt.workflows.run.load_model import is_exported
from mtt.workflows.run_facts import of_run, of_runs


def show(
    path: str | Path, architectures: Sequence[str | Path] = (), *, token: str | None = None
) -> dict[str, Any]:
    """What ``path`` is, as JSON has it.

    A checkpoint, an archive, an exported model (:func:`mtt.checkpoint.describe`), a checkpoint of
    another program that ``mtt import`` takes, a packed data set, the folder of a run, a folder of
    runs (``outputs``), or an options file. Always there are
    ``file``, ``kind`` and ``problem``, None for what is sound. Of a damaged one, what can still be
    trusted is given. An address is downloaded first; ``cached`` is where the file is then.

    :param architectures: folders of architectures outside of the package.
    :param token: for a server that asks for one.
    :raises MttError: there is nothing, or nothing that mtt knows.
    """
    if is_address(path):
        found = located(path, token)
        with named_by_address(found):
            known = show(found.path, architectures)
        return {**known, "file": found.url, "sha256": found.sha256, "cached": str(found.path)}
    path = Path(path)
    try:
        if is_packed(path):
            return describe_packed(path)
        if is_run(path):
            return of_run(path)
        if path.is_dir() and (runs := of_runs(path)) is not None:
            return runs
        if path.suffix in (".yaml", ".yml") and path.is_file():
            return _options(path, architectures)
        if not is_exported(path):
            refuse_programs(path)
        try:
            return describe(path)
        except NotOurs as error:
            return _foreign(error, path, architectures)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _foreign(error: NotOurs, path: Path, architectures: Sequence[str | Path]) -> dict[str, Any]:
    """A checkpoint of another program, as what it is once it is imported."""
    checkpoint = imported_instead(error, path, architectures, announce=False)
    imported = checkpoint["provenance"]["imported"]
    kind = f"checkpoint of {imported['program']}"
    head = {"file": str(path), "bytes": path.stat().st_size, "kind": kind}
    # the version of the folder that reads it says nothing of the file
    known = {**describe_content(checkpoint), "model_version": None}
    return {**head, "version": imported["kind"], "problem": None, **known}


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
            if isinstance(values, dict):
                check_ours(values, str(path))
            raise ConfigError(
                "is a YAML file, but holds no options: neither architecture nor systems",
                where=str(path),
            )
    except MttError as error:
        problem = str(error)
    return {"file": str(path), "kind": kind, "problem": problem, "options": options}
