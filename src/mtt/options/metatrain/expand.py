"""Expand short forms of data sets: strings, defaults, gradients that are read by default."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from mtt.discovery import READERS
from mtt.errors import ConfigError
from mtt.options.aggregation import AUTO, adds_up
from mtt.options.default_gradients import (
    DEFAULT,
    default_gradient,
    is_energy_name,
    without_claimed,
)
from mtt.options.kinds import SCALAR, kind_text
from mtt.options.metatrain.aggregations import aggregation_faults
from mtt.options.metatrain.contradictions import contradictions, tensor_faults
from mtt.options.metatrain.derivatives import derivatives
from mtt.options.metatrain.index_files import read_indices
from mtt.options.metatrain.pairs import pair_faults
from mtt.options.metatrain.set_names import all_named, name_faults
from mtt.options.names import INTENSIVE, PLURALS, target_fault
from mtt.options.tensor_files import TENSORS, is_tensor_file
from mtt.options.values import (
    GRADIENTS,
    DatasetOptions,
    GradientOptions,
    IndexSplit,
    Part,
    ReadFrom,
    SystemsOptions,
    TargetOptions,
    is_extensive,
)
from mtt.options.yaml.places import Fault, KeyPath

_STORES = {
    ".zip": "metatrain's zip data sets are not available yet",
    ".mts": "structures in metatensor's .mts files are not available yet",
}


class Expander:
    """Expands data sets that the schema has accepted.

    Mistakes are gathered in ``faults``, deprecated names in ``notices``; values with a fault
    come out as well as they can.
    """

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.notices: list[Fault] = []

    def datasets(self, value: Any, path: KeyPath) -> list[DatasetOptions]:
        """A data set, a list of them, or a file."""
        written = {path: value}
        if isinstance(value, list):
            written = {(*path, i): item for i, item in enumerate(value)}
        read = {here: self.dataset(item, here) for here, item in written.items()}
        self.faults += name_faults(read)
        return list(read.values())

    def part(self, value: Any, path: KeyPath) -> Part:
        """A validation or test set."""
        if isinstance(value, (int, float)):
            return float(value)
        if isinstance(value, dict) and set(value) == {"indices"}:
            indices = self._indices(value["indices"], (*path, "indices"))
            if indices is None:
                self.faults.append(Fault((*path, "indices"), "no indices are given"))
            return IndexSplit(indices or [])
        return all_named(self.datasets(value, path))

    def dataset(self, value: Any, path: KeyPath) -> DatasetOptions:
        """Expand one data set; a file name alone means its structures and energies."""
        if isinstance(value, str):
            value = {"systems": value, "targets": {"energy": value}}
        systems = self._systems(value["systems"], (*path, "systems"))
        return DatasetOptions(
            systems=systems,
            targets=self._targets(value.get("targets") or {}, (*path, "targets"), systems),
            extra_data={
                str(name): self._values(
                    item, (*path, "extra_data", name), name, systems, _quantity(item)
                )
                for name, item in (value.get("extra_data") or {}).items()
            },
            indices=self._indices(value.get("indices"), (*path, "indices")),
            weight=_weight(value.get("weight")),
            name=value.get("name") or "",
        )

    def _systems(self, value: Any, path: KeyPath) -> SystemsOptions:
        value = {"read_from": value} if isinstance(value, str | list) else value
        read_from = value["read_from"]
        self._check_store(read_from, (*path, "read_from"))
        return SystemsOptions(read_from, self._reader(value, path), value.get("length_unit") or "")

    def _targets(
        self, values: dict[str, Any], path: KeyPath, systems: SystemsOptions
    ) -> dict[str, TargetOptions]:
        targets: dict[str, TargetOptions] = {}
        for written, value in values.items():
            name, here = str(written), (*path, written)
            if name in PLURALS:
                name = PLURALS[name]
                self.notices.append(Fault(here, f"deprecated name; use {name!r}"))
            wrong = target_fault(name)
            if wrong:
                self.faults.append(Fault(here, *wrong))
            if (
                name in targets
                or f"mtt::{name}" in targets
                or name.removeprefix("mtt::") in targets
            ):
                self.faults.append(
                    Fault(here, f"{name.removeprefix('mtt::')!r} is given twice", "rename one")
                )
            targets[name] = self._target(value, here, name, systems)
        return without_claimed(targets)

    def _target(
        self, value: Any, path: KeyPath, name: str, systems: SystemsOptions
    ) -> TargetOptions:
        value = {"read_from": value} if isinstance(value, str) else value
        quantity = "energy" if is_energy_name(name) else _quantity(value)
        target = self._values(value, path, name, systems, quantity)
        self.faults += contradictions(value, path, target)
        self.faults += tensor_faults(name, path, target)
        self.faults += aggregation_faults(value, path, target)
        self.faults += pair_faults(path, target)
        has_gradients = (
            target.quantity == "energy"
            and target.sample_kind == "system"
            and target.num_subtargets == 1
            and target.kind == SCALAR
        )
        sections = {
            key: self._gradient(value.get(key), (*path, key), key, target) for key in GRADIENTS
        }
        for key, section in sections.items():
            if section and not has_gradients:
                what = "only one energy per structure has forces, stress or virial"
                hint = "write quantity: energy if it is one, else gradients: {positions: ...}"
                self.faults.append(Fault((*path, key), what, hint))
        sections |= derivatives(value, path, target, self._gradient, self.faults)
        if sections["stress"] and sections["virial"]:
            what = "stress and virial cannot both be given"
            self.faults.append(Fault((*path, "virial"), what, "they are the same labels; keep one"))
        for key in DEFAULT if has_gradients else ():
            off = value.get(key) is False or (key == "stress" and sections["virial"])
            if sections[key] is None and not off:
                sections[key] = default_gradient(name, target, key)
        if value.get("key") is True:
            hint = "name the key, or write false where the file has no energies"
            self.faults.append(
                Fault((*path, "key"), "expected text, false or null, got true", hint)
            )
        if not target.key and not any(sections.values()):
            what = "without a key there must be forces, stress or other gradients to learn from"
            self.faults.append(Fault((*path, "key"), what))
        return TargetOptions(**{**vars(target), **sections})

    def _values(
        self, value: Any, path: KeyPath, name: str, systems: SystemsOptions, quantity: str
    ) -> TargetOptions:
        """What targets and extra data share."""
        value = {"read_from": value} if isinstance(value, str) else value
        own = value.get("read_from")
        if not is_tensor_file(own):
            self._check_store(own, (*path, "read_from"))
        kind = kind_text(value.get("type"))
        extensive = value.get("extensive")
        if extensive is None:
            sums = is_extensive(quantity, kind)
            extensive = sums and name.partition("/")[0] not in INTENSIVE
            extensive = adds_up(value.get("aggregation"), extensive)
        return TargetOptions(
            quantity=quantity,
            read_from=own or systems.read_from,
            reader=self._reader_of_values(value, path),
            key="" if value.get("key") is False else str(value.get("key") or name),
            unit=value.get("unit") or "",
            sample_kind=self._sample_kind(value, path),
            kind=kind,
            num_subtargets=value.get("num_subtargets") or 1,
            description=value.get("description") or "",
            extensive=extensive,
            aggregation=value.get("aggregation") or "",
            readout_rank=value.get("readout_rank") or AUTO,
            exchange=value.get("exchange") or "",
        )

    def _sample_kind(self, value: dict[str, Any], path: KeyPath) -> str:
        kind: str | None = value.get("sample_kind")
        per_atom = value.get("per_atom")
        if per_atom is None:
            return kind or "system"
        meant = "atom" if per_atom else "system"
        here = (*path, "per_atom")
        self.notices.append(Fault(here, f"deprecated; use 'sample_kind: {meant}'"))
        if kind not in (None, meant):
            self.faults.append(Fault(here, f"contradicts 'sample_kind: {kind}'", "leave it out"))
        return meant

    def _gradient(
        self, value: Any, path: KeyPath, name: str, target: TargetOptions
    ) -> GradientOptions | None:
        """A section that the user wrote; None where it is off or left to the default."""
        if value is None or value is False:
            return None
        section = {"read_from": value} if isinstance(value, str) else value
        section = {} if section is True else section
        own = section.get("read_from")
        if not (is_tensor_file(own) and own == target.read_from):
            self._check_store(own, (*path, "read_from"))
        return GradientOptions(
            read_from=own or target.read_from,
            reader=self._reader_of_values(section, path) or target.reader,
            key=section.get("key") or name,
        )

    def _indices(self, value: Any, path: KeyPath) -> list[int] | None:
        """A list of indices, or a file with one a line."""
        if value is None:
            return None
        indices = read_indices(Path(value), path, self.faults) if isinstance(value, str) else value
        seen: set[int] = set()
        twice = [i for i in indices if i in seen or seen.add(i)]  # type: ignore[func-returns-value]
        if twice:
            self.faults.append(Fault(path, f"the index {twice[0]} is given twice"))
        return list(indices)

    def _reader(self, section: dict[str, Any], path: KeyPath) -> str | None:
        """The name of what reads the file; None where it is left out."""
        name: str | None = section.get("reader")
        if name is not None:
            try:
                READERS.check(name)
            except ConfigError as error:
                ((what, _, hint),) = error.problems
                if name == TENSORS:
                    what, hint = "this reader is for values, in .mts files", "leave it out"
                self.faults.append(Fault((*path, "reader"), what, hint))
        return name

    def _reader_of_values(self, section: dict[str, Any], path: KeyPath) -> str | None:
        """As :meth:`_reader`; that of metatensor's files needs no name."""
        return None if section.get("reader") == TENSORS else self._reader(section, path)

    def _check_store(self, read_from: ReadFrom | None, path: KeyPath) -> None:
        """Refuse the data formats of metatrain that no reader here knows."""
        if isinstance(read_from, list):
            for i, one in enumerate(read_from):
                self._check_store(one, (*path, i))
            return
        suffix = Path(read_from or "").suffix.lower()
        taken = any(suffix in own for own in READERS.facts("suffixes", ()).values())
        what = None if taken else _STORES.get(suffix)
        # unlike Path.is_file, no error for a name that is too long for a file
        if read_from and what is None and os.path.isfile(Path(read_from) / "ns.npy"):
            what = "metatrain's memory-mapped folders are not available yet"
        if what:
            self.faults.append(Fault(path, what, "give a file that ASE reads (.xyz)"))


def _quantity(value: Any) -> str:
    """As it is written; empty where it is not."""
    return (value.get("quantity") or "") if isinstance(value, dict) else ""


def _weight(value: Any) -> float | str | None:
    """A number, or the key of one; ``{key: ...}`` is the long form of the latter."""
    value = value["key"] if isinstance(value, dict) else value
    return value if value is None or isinstance(value, str) else float(value)
