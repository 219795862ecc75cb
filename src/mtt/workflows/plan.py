"""What is known before the model exists: options, architecture, data, device, command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from mtt.options import Options, RawOptions
from mtt.registry import Architecture
from mtt.workflows.restart.source import Restart
from mtt.workflows.run.datasets import Data
from mtt.workflows.run.record import Command


class Plan(NamedTuple):
    """All that is known before the model exists."""

    raw: RawOptions
    options: Options
    architecture: Architecture
    data: Data
    restart: Restart | None
    device: torch.device
    dtype: torch.dtype
    output: Path
    folders: Sequence[str | Path]
    command: Command
