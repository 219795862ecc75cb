"""Probes that the end of a training had no time for, made up for by ``mtt report``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mtt.errors import MttError
from mtt.interface import ModelInterface
from mtt.report.kept import Kept
from mtt.report.probes.probe import LATE
from mtt.report.probes.run import OVER, run_probes
from mtt.report.run_data import RunData
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.load_model import load_checkpoint, model_from

LONGEST = 20.0
"""Seconds of all probes."""


def with_probes(run: RunData, architectures: Sequence[str | Path] = ()) -> RunData:
    """``run``, with the probes that were left out, if its model can be loaded.

    :param architectures: folders of architectures outside of the package.
    """
    kept, path = run.kept, RunFolder(run.folder).checkpoint
    if kept is None or not path.is_file() or not _left_out(kept):
        return run
    try:
        checkpoint, architecture = load_checkpoint(path, architectures)
        model = model_from(checkpoint, architecture, "export", path)
    except MttError as error:
        return replace(run, missing=[*run.missing, f"The model is not probed: {error}."])
    assert isinstance(model, ModelInterface)
    probes = run_probes(model, kept.facts.get("examples", []), LONGEST)
    return replace(run, kept=Kept({**kept.facts, "probes": probes}, kept.arrays))


def _left_out(kept: Kept) -> bool:
    probes = kept.facts.get("probes")
    return not probes or any(one["problem"].startswith((OVER, LATE)) for one in probes)
