"""Options as the user wrote them: read, overridden, the data sets checked and spelled out.

The architecture's own section waits for :func:`mtt.options.resolve`: it needs the architecture,
and the architecture needs its name from here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mtt.errors import ConfigError, MttError, Problem
from mtt.options.agree import check_together
from mtt.options.foreign import check_ours
from mtt.options.metatrain.expand import Expander
from mtt.options.schema.validate import OPTIONS, packaged_schema, validate
from mtt.options.values import DatasetOptions, Part
from mtt.options.yaml.interpolate import Interpolator
from mtt.options.yaml.load import Document, load_document
from mtt.options.yaml.overrides import apply_overrides
from mtt.options.yaml.places import Fault, KeyPath, Places

Source = str | os.PathLike[str] | Mapping[str, Any]
SETS = ("training_set", "validation_set", "test_set")


@dataclass(frozen=True)
class RawOptions:
    """An options file before its architecture is known.

    :param written: the file with its overrides; references are not resolved.
    :param base: the file with references resolved (those of the hypers are left as they are).
    :param sets: the data sets spelled out; None in place of one that has mistakes.
    :param faults: the mistakes found so far; :func:`mtt.options.resolve` reports them together
        with those of the architecture's section.
    :param notices: deprecated names.
    """

    written: dict[str, Any]
    base: dict[str, Any]
    sets: dict[str, Part | None]
    places: Places
    faults: tuple[Fault, ...] = ()
    notices: tuple[Fault, ...] = ()

    @property
    def source(self) -> str:
        """The file as the user named it; empty for a dict."""
        return self.places.source

    @property
    def problems(self) -> list[Problem]:
        """All mistakes found so far, with their lines."""
        return self.places.problems(self.faults)

    @property
    def architecture_name(self) -> str:
        """The architecture that the file asks for.

        :raises ConfigError: it names none; with everything else that is wrong.
        """
        section = self.base.get("architecture")
        name = section.get("name") if isinstance(section, dict) else None
        if not isinstance(name, str) or not name:
            raise ConfigError.collect(self.problems)
        return name

    @contextmanager
    def locating(self, path: KeyPath = ("architecture", "name")) -> Iterator[None]:
        """Around code that may refuse an option: its errors get their place in the file.

        An error without place is put at ``path``; one whose place is a key
        (``architecture.training.loss``) gets the line of that key. The mistakes found so far
        are reported along.
        """
        try:
            yield
        except MttError as error:
            found = [self._located(problem, path) for problem in error.problems]
            raise type(error).collect(list(dict.fromkeys([*self.problems, *found]))) from error

    def _located(self, problem: Problem, path: KeyPath) -> Problem:
        found = re.findall(r"\[(\d+)\]|([^.\[]+)", problem.where)
        keys: KeyPath = tuple(int(index) if index else name for index, name in found)
        if not problem.where:
            return problem._replace(where=self.places.where(path))
        if keys and keys[0] in self.written:
            return problem._replace(where=self.places.where(keys))
        return problem


def load_options(source: Source, overrides: Sequence[str] = ()) -> RawOptions:
    """Read ``options.yaml`` (or take a dict) and check all but the architecture's own section.

    :param overrides: ``key.key=value``, laid over the file in this order.
    :raises ConfigError: no such file, not YAML, a duplicate key, an override that cannot be
        applied. Mistakes in keys and values are kept, for :func:`mtt.options.resolve` to report
        all at once.
    """
    document = _mapping(load_document(source))
    check_ours(document.values, document.places.source)
    apply_overrides(document, overrides)
    written, places = document.values, document.places
    base, faults = _interpolated(written)
    wrong = {fault.path for fault in faults}
    faults += [f for f in validate(base, packaged_schema(OPTIONS)) if f.path not in wrong]
    expander = Expander()
    sets: dict[str, Part | None] = {}
    for name in SETS:
        if name in base and not any(fault.path[:1] == (name,) for fault in faults):
            sets[name] = _expanded(expander, name, base[name])
    check_together(sets, lambda *fault: expander.faults.append(Fault(*fault)))
    return RawOptions(
        written=written,
        base=base,
        sets={name: sets.get(name, 0.0 if name == "test_set" else None) for name in SETS},
        places=places,
        faults=(*faults, *expander.faults),
        notices=tuple(expander.notices),
    )


def load_eval_options(
    source: Source | Sequence[Mapping[str, Any]], overrides: Sequence[str] = ()
) -> list[DatasetOptions]:
    """Read the options of ``mtt eval``: a data set, or a list of them; targets are optional.

    :raises ConfigError: all that is wrong, each with its line.
    """
    values = source if isinstance(source, (str, os.PathLike, Mapping)) else list(source)
    document = load_document(values)
    if not isinstance(document.values, list):
        document = _mapping(document)
        if "training_set" in document.values:
            hint = "here the keys systems and targets are expected, which are below training_set"
            where = document.places.source
            raise ConfigError("these are the options of a training", where=where, hint=hint)
    apply_overrides(document, overrides)
    interpolate = Interpolator(document.values)
    base = interpolate(document.values, ())
    faults = interpolate.faults or validate(base, packaged_schema("eval.schema.json"))
    expander = Expander()
    if not faults:
        datasets = expander.datasets(base, ())
        faults = expander.faults
    if faults:
        raise ConfigError.collect(document.places.problems(faults))
    return datasets


def _mapping(document: Document) -> Document:
    source = document.places.source
    if document.values is None or document.values == {}:
        raise ConfigError("the options are empty", where=source)
    if not isinstance(document.values, dict):
        hint = "an options file is expected; `mtt init` writes one for a file of structures"
        raise ConfigError("options are a mapping of keys to values", where=source, hint=hint)
    return document


def _interpolated(written: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The file with references resolved, as far as that goes without an architecture."""
    interpolate = Interpolator(written)
    base = {key: interpolate(value, (key,)) for key, value in written.items()}
    # hypers may refer to defaults that the architecture brings
    late = [("architecture", "model"), ("architecture", "training")]
    return base, [fault for fault in interpolate.faults if fault.path[:2] not in late]


def _expanded(expander: Expander, name: str, value: Any) -> Part | None:
    if name == "training_set":
        return expander.datasets(value, (name,))
    if value is None and name == "validation_set":
        expander.faults.append(Fault((name,), "missing value", "give a fraction or data"))
        return None
    return 0.0 if value is None else expander.part(value, (name,))
