"""The sections of a target in the options, of which one file holds all labels."""

from __future__ import annotations

from mtt.data.findings import Findings
from mtt.data.frames import FrameLabels
from mtt.data.info import POSITIONS, STRAIN, TargetInfo
from mtt.data.tensor_files.declared import target_info
from mtt.data.tensor_files.target import TensorFiles
from mtt.errors import Problem
from mtt.options.values import GradientOptions, TargetOptions


def tensor_target(
    files: TensorFiles,
    section: str,
    options: TargetOptions,
    findings: Findings,
    notices: list[str],
) -> tuple[list[FrameLabels], TargetInfo]:
    """Labels of every structure; a gradient that is a default and that the file lacks is off."""
    asked = asked_derivatives(options)
    names = list(dict.fromkeys(name for name, _, _ in asked))
    before = len(files.notices)
    labels, found = files.target(section, target_info(options), options.read_from, names)
    notices += files.notices[before:]
    for name, part, one in asked:
        if name not in found and one.explicit and not findings:
            what = f"there is no gradient {name!r} for {section}.{part}"
            hint = f"leave {part} out, or write it into the blocks of the file"
            findings.add_problems([Problem(what, str(options.read_from), hint)])
    return labels, target_info(options, found)


def asked_derivatives(options: TargetOptions) -> list[tuple[str, str, GradientOptions]]:
    """Derivatives that are asked for: ``positions`` or ``strain``, and the section that asks."""
    sections = (
        (POSITIONS, "forces", options.forces),
        (POSITIONS, "gradients.positions", options.positions),
        (STRAIN, "stress", options.stress),
        (STRAIN, "virial", options.virial),
        (STRAIN, "gradients.strain", options.strain),
    )
    return [(name, part, one) for name, part, one in sections if one is not None]
