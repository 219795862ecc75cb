"""``options.yaml`` to validated, fully spelled out values. Imports no torch.

``load_options`` reads the file and names the architecture; ``resolve`` lays the options over
that architecture's defaults.
"""

from __future__ import annotations

from importlib.resources import files

from mtt.options.metatrain.known_names import peer_notice
from mtt.options.raw import RawOptions, load_eval_options, load_options
from mtt.options.resolve import resolve
from mtt.options.schema.vocabulary import check_schema
from mtt.options.values import (
    DatasetOptions,
    GradientOptions,
    IndexSplit,
    Options,
    SystemsOptions,
    TargetOptions,
)
from mtt.options.yaml.load import load_document, read_yaml
from mtt.options.yaml.places import Places
from mtt.options.yaml.to_yaml import to_yaml

SCHEMA_PATH = str(files("mtt.options").joinpath("options.schema.json"))
"""The JSON Schema of the whole file, for editors: ``# yaml-language-server: $schema=...``."""

__all__ = [
    "SCHEMA_PATH",
    "DatasetOptions",
    "GradientOptions",
    "IndexSplit",
    "Options",
    "Places",
    "RawOptions",
    "SystemsOptions",
    "TargetOptions",
    "check_schema",
    "load_document",
    "load_eval_options",
    "load_options",
    "peer_notice",
    "read_yaml",
    "resolve",
    "to_yaml",
]
