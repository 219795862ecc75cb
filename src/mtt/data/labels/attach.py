"""Labels of the targets: values, forces, and the strain derivative from stress or virial.

The rule of this room: what the options declare is used in full, or the run does not start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from mtt.data import kinds
from mtt.data.files.raw_frame import RawFrame
from mtt.data.findings import Findings
from mtt.data.frames import Float, FrameLabels
from mtt.data.info import POSITIONS, STRAIN, TargetInfo
from mtt.data.labels.alone import has_numbers, may_be_without, remedy
from mtt.data.labels.derivatives import derivative_section, order_problem
from mtt.data.labels.find_key import WRITE_NAN, Section, look_up, tell_missing
from mtt.data.labels.keys import symmetric, values_of, values_of_atoms, vectors
from mtt.data.labels.other_energies import other_energy_notices
from mtt.data.labels.periodicity import dropped_stress, why_no_stress
from mtt.data.labels.vectors import vector_notice
from mtt.data.tensor_files.declared import target_info
from mtt.data.tensor_files.sections import tensor_target
from mtt.data.tensor_files.target import TensorFiles
from mtt.errors import DataError, Problem
from mtt.options.tensor_files import is_tensor_file
from mtt.options.values import GradientOptions, ReadFrom, TargetOptions

Source = Callable[[ReadFrom, str | None, str], list[RawFrame]]
"""From path, reader and section to the frames of that file, one per structure."""


class Labels:
    """Reads the labels of ``systems``.

    :param source: opens the files that hold the labels.
    :param findings: takes the mistakes. Where there are any, results are of no use.
    :param tensors: reads labels from files of metatensor, with the same ``findings``.
    """

    def __init__(
        self, systems: list[RawFrame], source: Source, findings: Findings, tensors: TensorFiles
    ) -> None:
        self._systems, self._tensors = systems, tensors
        self._source = source
        self._findings = findings
        self.notices: list[str] = []

    def target(self, name: str, options: TargetOptions) -> tuple[list[FrameLabels], TargetInfo]:
        """Labels of every structure. A gradient that is a default and that no file has is off."""
        section = f"targets.{name}"
        if is_tensor_file(options.read_from):
            return tensor_target(self._tensors, section, options, self._findings, self.notices)
        alone = self._may_be_alone(name, section, options)
        missing = [np.full((1, *_shape(options)), np.nan)] * len(self._systems)
        values = missing if alone else self.values(section, options)
        forces = self._forces(f"{section}.forces", options.forces)
        if options.virial is not None:
            strain = self._virial(f"{section}.virial", options.virial)
        else:
            strain = self._stress(f"{section}.stress", options.stress)
        if not options.forces and options.positions:
            forces = self._derivatives(name, POSITIONS, options, options.positions)
            self._check_order(name, options, values, forces)
        if options.strain:
            strain = self._derivatives(name, STRAIN, options, options.strain)
        gradients = ((POSITIONS,) if forces else ()) + ((STRAIN,) if strain else ())
        if alone and not forces and not strain:
            self._nothing_to_learn(section, options)
        elif alone:
            self._report_single(name, options, bool(forces), bool(strain))
        self._look_closer(name, options, values)
        nothing = [None] * len(values)
        labels = [
            FrameLabels(*row)
            for row in zip(values, forces or nothing, strain or nothing, strict=False)
        ]
        return labels, target_info(options, gradients)

    def values(self, section: str, options: TargetOptions) -> list[Float]:
        """``[1, *shape]`` or ``[n_atoms, *shape]`` of every structure."""
        if is_tensor_file(options.read_from):
            of = (self._tensors, section, options, self._findings, self.notices)
            return [one.values for one in tensor_target(*of)[0]]
        per_atom, shape = options.sample_kind == "atom", _shape(options)
        kind, p = kinds.of(options.kind), options.num_subtargets
        item = Section(
            section,
            options.key,
            per_atom,
            explicit=True,
            convert=lambda value, n: values_of(value, n if per_atom else 1, kind, p),
            shape=lambda n: (n if per_atom else 1, *shape),
            remedy=remedy(options, self._systems),
            of_elements=(lambda value, z: values_of_atoms(value, z, kind, p)) if per_atom else None,
        )
        found = self._look_up(item, options, [True] * len(self._systems))
        if found is not None:
            expected = found
            if kind.elements:  # what an atom of its element does not have is not missing
                numbers = [frame.numbers for frame in self._systems]
                there = [kind.own(one)[:, :, None] for one in numbers]
                expected = [np.where(*pair, 0.0) for pair in zip(there, found, strict=True)]
            tell_missing(item, self._systems, expected, self.notices)
        return found or []

    def _frames(self, options: TargetOptions | GradientOptions, section: str) -> list[RawFrame]:
        """The frames that have the labels; none where that file cannot be used."""
        try:
            return self._source(options.read_from, options.reader, section)
        except DataError as error:
            self._findings.add_problems(error.problems)
            return []

    def _may_be_alone(self, name: str, section: str, options: TargetOptions) -> bool:
        """Whether no structure has this energy, and none has to."""
        frames = self._frames(options, section)
        if not frames or any(has_numbers(one.per_structure.get(options.key)) for one in frames):
            return False
        return may_be_without(name, options, frames)

    def _nothing_to_learn(self, section: str, options: TargetOptions) -> None:
        if options.key:
            self.values(section, options)  # the mistake is that there are none
            return
        file = self._systems[0].file
        what = f"neither energies nor forces, stress or virial for {section}"
        self._findings.add_problems([Problem(what, file, f"set {section}.key")])

    def _report_single(self, name: str, options: TargetOptions, forces: bool, strain: bool) -> None:
        words = ("forces", "virial" if options.virial is not None else "stress")
        if options.quantity != "energy":
            words = ("derivatives by positions", "derivatives by strain")
        learnt = " and ".join([words[0]] * forces + [words[1]] * strain)
        frames = self._frames(options, f"targets.{name}")
        no = f"no {options.key!r} in any structure: " if options.key else ""
        if any(options.key in frame.per_structure for frame in frames):
            no = f"every {options.key!r} is NaN, a missing label: "
        self.notices.append(
            f"{self._systems[0].file}: {no}{name} has {learnt} alone here, which do not "
            "determine its constant"
        )

    def _look_closer(self, name: str, options: TargetOptions, values: Sequence[Float]) -> None:
        """Notices of labels that may be other than the options take them for."""
        if self._findings or not values:
            return
        file = self._systems[0].file
        self.notices += vector_notice(file, name, options, values)
        if options.quantity == "energy" and options.forces and options.key:
            frames = self._frames(options, f"targets.{name}")
            self.notices += other_energy_notices(name, options, frames)

    def _key_that_is_there(self, section: str, options: GradientOptions) -> GradientOptions:
        """``options`` with the first of its keys that the file has."""
        if not options.others:
            return options
        frames = self._frames(options, section)
        for key in (options.key, *options.others):
            if any(key in one.per_structure or key in one.per_atom for one in frames):
                return replace(options, key=key)
        return options

    def _forces(self, section: str, options: GradientOptions | None) -> list[Float] | None:
        if options is None:
            return None
        options = self._key_that_is_there(section, options)
        item = Section(
            section,
            options.key,
            per_atom=True,
            explicit=options.explicit,
            convert=vectors,
            shape=lambda n: (n, 3),
            remedy=_name_the_key(section, options),
        )
        found = self._look_up(item, options, [True] * len(self._systems))
        if found is not None:
            tell_missing(item, self._systems, found, self.notices)
        return found

    def _derivatives(
        self, target: str, name: str, options: TargetOptions, section: GradientOptions
    ) -> list[Float] | None:
        """Derivatives of a target that is not an energy; of one number minus those by positions."""
        item = derivative_section(target, name, options, section)
        found = self._look_up(item, section, [True] * len(self._systems))
        if found is None:
            return None
        tell_missing(item, self._systems, found, self.notices)
        as_forces = name == POSITIONS and target_info(options).is_number
        return [-one for one in found] if as_forces else found

    def _check_order(
        self, name: str, options: TargetOptions, values: list[Float], slopes: list[Float] | None
    ) -> None:
        if self._findings or not values or slopes is None:
            return
        problem = order_problem(name, options, self._systems, values, slopes)
        self._findings.add_problems([] if problem is None else [problem])

    def _virial(self, section: str, options: GradientOptions) -> list[Float] | None:
        """Minus the virial, which molecules have as well as solids."""
        item = _symmetric(section, options)
        found = self._look_up(item, options, [True] * len(self._systems))
        if found is None:
            return None
        tell_missing(item, self._systems, found, self.notices)
        return [-virial for virial in found]

    def _stress(self, section: str, options: GradientOptions | None) -> list[Float] | None:
        """Volume times stress (ASE's sign: positive under tension); NaN for molecules."""
        if options is None:
            return None
        options = self._key_that_is_there(section, options)
        periodic = [frame.is_periodic for frame in self._systems]
        if not any(periodic) and not options.explicit:
            self._report_dropped(section, options)
            return None  # molecules have none, and it is a default
        item = _symmetric(section, options)
        found = self._look_up(item, options, periodic)
        if found is None:
            return None
        solids = [i for i, solid in enumerate(periodic) if solid]
        tell_missing(
            item, [self._systems[i] for i in solids], [found[i] for i in solids], self.notices
        )
        self._refuse_stress_of_molecules(item, found)
        return [
            abs(np.linalg.det(frame.cell)) * stress if solid else np.full((3, 3), np.nan)
            for frame, stress, solid in zip(self._systems, found, periodic, strict=True)
        ]

    def _refuse_stress_of_molecules(self, section: Section, found: Sequence[Float]) -> None:
        """A stress needs a volume: a mistake where it was asked for, else left out and reported."""
        if not section.explicit:
            self.notices += dropped_stress(section.key, self._systems, found)
            return
        for frame, stress in zip(self._systems, found, strict=True):
            if not frame.is_periodic and not np.isnan(stress).all():
                what = f"{section.key!r} for {section.name}, but {why_no_stress(frame, stress)}"
                hint = f"a stress needs a volume: set pbc, or {WRITE_NAN}, or use the virial"
                self._findings.add(frame, what, hint=hint)

    def _report_dropped(self, section: str, options: GradientOptions) -> None:
        """Notices of stresses that none of the structures, all molecules, can have."""
        frames = self._frames(options, section)
        if any(options.key in frame.per_structure for frame in frames):
            none = [False] * len(self._systems)
            found = look_up(_symmetric(section, options), frames, none, Findings(), [])
            if found is not None:
                self.notices += dropped_stress(options.key, self._systems, found)

    def _look_up(
        self, section: Section, options: TargetOptions | GradientOptions, required: list[bool]
    ) -> list[Float] | None:
        frames = self._frames(options, section.name)
        if not frames:
            return None
        return look_up(section, frames, required, self._findings, self.notices)


def _shape(options: TargetOptions) -> tuple[int, ...]:
    return kinds.of(options.kind).shape(options.num_subtargets)


def _name_the_key(section: str, options: GradientOptions) -> str:
    """Hint for an energy other than ``energy`` without values under its default keys."""
    if options.explicit or section.startswith("targets.energy."):
        return ""
    return f"write {section}: {{key: ...}}, or {section}: off"


def _symmetric(section: str, options: GradientOptions) -> Section:
    return Section(
        section,
        options.key,
        per_atom=False,
        explicit=options.explicit,
        convert=lambda value, _: symmetric(value),
        shape=lambda _: (3, 3),
        remedy=_name_the_key(section, options),
    )
