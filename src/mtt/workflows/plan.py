"""What is known before the model exists: options, architecture, data, device, command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from mtt.options import Options, RawOptions
from mtt.registry import Architecture
from mtt.workflows.data import Data
from mtt.workflows.record import Command
from mtt.workflows.restart import Restart


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
