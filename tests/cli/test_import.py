"""``mtt import``: what it prints, and its one message for a file that it cannot take."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import yaml

from mtt.checkpoint import read


def test_import_writes_a_checkpoint_and_prints_the_options_for_fine_tuning(
    mtt: Callable[..., Any], metatrain_format: SimpleNamespace
) -> None:
    model = metatrain_format.model(d_node=6)
    metatrain_format.write(Path("theirs.ckpt"), metatrain_format.content(model))
    done = mtt("import", "theirs.ckpt", "-o", "ours.ckpt")
    assert (done.code, done.err) == (0, "")
    assert "theirs.ckpt: imported from metatrain (PET, checkpoint version 16)" in done.out
    head, _, options = done.out.partition("into an options file:")
    assert "wrote ours.ckpt" in head
    section = yaml.safe_load(options)["architecture"]
    hypers = read("ours.ckpt")["model_hypers"]
    assert section["training"] == {"finetune": {"read_from": "ours.ckpt"}}
    assert section["model"]["formulation"] == "metatrain"
    assert section["model"].items() <= hypers.items()


def test_a_file_that_is_not_imported_is_one_message(
    refused: Callable[..., str], listing: Callable[[], dict[str, bytes]]
) -> None:
    Path("notes.txt").write_text("weights\n")
    before = listing()
    assert "notes.txt: is not a checkpoint, but a text file" in refused("import", "notes.txt")
    assert "theirs.ckpt: no such file" in refused("import", "theirs.ckpt")
    assert listing() == before
