"""The stored files of the training options: schema and defaults, for editors, folders and users.

``python -m mtt.training.stored_options`` writes both from the definitions in
:mod:`mtt.options.training`; a test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

import mtt.training
from mtt.discovery import LOSSES, OPTIMIZERS, SCHEDULES
from mtt.options.training import TrainingOptions
from mtt.options.training.schema import with_names
from mtt.options.training.whole import training_schema

_HEAD = (
    "# Training defaults of the platform; a folder's default-hypers.yaml overrides them.\n"
    "# Written by `python -m mtt.training.stored_options` from mtt.options.training.\n"
)


def names() -> dict[str, Sequence[str]]:
    """The lists of names in descriptions."""
    extra = sorted(name for name, other in OPTIMIZERS.facts("extra", "").items() if other)
    special = [LOSSES.facts(fact, False) for fact in ("only_forces", "only_spectra")]
    some = [name for facts in special for name, only in facts.items() if only]
    return {
        "optimizers": [name for name in OPTIMIZERS.names() if name not in extra],
        "extra_optimizers": extra,
        "schedules": SCHEDULES.names(),
        "losses": [name for name in LOSSES.names() if name not in some],
    }


def contents() -> Mapping[str, str]:
    """File in ``mtt/training/`` to its text."""
    schema = with_names(training_schema(), names())
    defaults = yaml.safe_dump(TrainingOptions().to_hypers(), sort_keys=False)
    return {
        "schema-hypers.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n",
        "default-hypers.yaml": _HEAD + defaults,
    }


if __name__ == "__main__":
    for name, text in contents().items():
        (Path(mtt.training.__file__).parent / name).write_text(text, encoding="utf-8")
