"""Labels of the targets: values, forces, and the strain derivative from stress or virial.

The rule of this room: what the options declare is used in full, or the run does not start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mtt.data.findings import Findings, name_frames
from mtt.data.frames import Float, FrameLabels
from mtt.data.info import POSITIONS, STRAIN, TargetInfo
from mtt.data.keys import scalars, symmetric, vectors
from mtt.data.lookup import WRITE_NAN, Section, look_up, tell_missing
from mtt.data.raw import RawFrame
from mtt.errors import DataError
from mtt.options.values import GradientOptions, ReadFrom, TargetOptions

Source = Callable[[ReadFrom, str | None, str], list[RawFrame]]
"""From path, reader and section to the frames of that file, one per structure."""


class Labels:
    """Reads the labels of ``systems``.

    :param source: opens the files that labels stand in.
    :param findings: takes the mistakes. Where there are any, results are of no use.
    """

    def __init__(self, systems: list[RawFrame], source: Source, findings: Findings) -> None:
        self._systems = systems
        self._source = source
        self._findings = findings
        self.notices: list[str] = []

    def target(self, name: str, options: TargetOptions) -> tuple[list[FrameLabels], TargetInfo]:
        """Labels of every structure. A gradient that nobody asked for and no file has is off."""
        section = f"targets.{name}"
        values = self.values(section, options)
        forces = self._forces(f"{section}.forces", options.forces)
        if options.virial is not None:
            strain = self._virial(f"{section}.virial", options.virial)
        else:
            strain = self._stress(f"{section}.stress", options.stress)
        gradients = ((POSITIONS,) if forces else ()) + ((STRAIN,) if strain else ())
        nothing = [None] * len(values)
        labels = [
            FrameLabels(*row)
            for row in zip(values, forces or nothing, strain or nothing, strict=False)
        ]
        return labels, target_info(options, gradients)

    def values(self, section: str, options: TargetOptions) -> list[Float]:
        """``[1, properties]`` or ``[n_atoms, properties]`` of every structure."""
        per_atom, p = options.sample_kind == "atom", options.num_subtargets
        item = Section(
            section,
            options.key,
            per_atom,
            explicit=True,
            convert=lambda value, n: scalars(value, n if per_atom else 1, p),
            shape=lambda n: (n if per_atom else 1, p),
        )
        found = self._look_up(item, options, [True] * len(self._systems))
        if found is not None:
            tell_missing(item, self._systems, found, self.notices)
        return found or []

    def _forces(self, section: str, options: GradientOptions | None) -> list[Float] | None:
        if options is None:
            return None
        item = Section(section, options.key, True, options.explicit, vectors, lambda n: (n, 3))
        found = self._look_up(item, options, [True] * len(self._systems))
        if found is not None:
            tell_missing(item, self._systems, found, self.notices)
        return found

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
        periodic = [frame.is_periodic for frame in self._systems]
        if not any(periodic) and not options.explicit:
            return None  # molecules have none, and nobody asked
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
        """A stress needs a volume: a mistake where it was asked for, else left out and told."""
        ignored = []
        for frame, stress in zip(self._systems, found, strict=True):
            if frame.is_periodic or np.isnan(stress).all():
                continue
            ignored.append(frame.number)
            if section.explicit:
                what = f"{section.key!r} for {section.name}, but not periodic in three directions"
                hint = f"a stress needs a volume: set pbc, or {WRITE_NAN}, or use the virial"
                self._findings.add(frame, what, hint=hint)
        if ignored and not section.explicit:
            self.notices.append(
                f"{self._systems[0].file}: {section.key!r} is not used where a structure is not "
                f"periodic in three directions ({name_frames(ignored)})"
            )

    def _look_up(
        self, section: Section, options: TargetOptions | GradientOptions, required: list[bool]
    ) -> list[Float] | None:
        try:
            frames = self._source(options.read_from, options.reader, section.name)
        except DataError as error:
            self._findings.add_problems(error.problems)
            return None
        return look_up(section, frames, required, self._findings, self.notices)


def _symmetric(section: str, options: GradientOptions) -> Section:
    return Section(
        section,
        options.key,
        per_atom=False,
        explicit=options.explicit,
        convert=lambda value, _: symmetric(value),
        shape=lambda _: (3, 3),
    )


def target_info(options: TargetOptions, gradients: tuple[str, ...] = ()) -> TargetInfo:
    """The options of a target as a model sees them."""
    return TargetInfo(
        quantity=options.quantity,
        unit=options.unit,
        sample_kind=options.sample_kind,
        kind=options.kind,
        properties=options.num_subtargets,
        gradients=gradients,
        strain_name="virial" if options.virial is not None else "stress",
        description=options.description,
    )
