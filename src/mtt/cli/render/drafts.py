"""Output of ``mtt init``: what was found, what was chosen, what to type next."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from mtt.cli.render import scan, terminal
from mtt.cli.render.progress import duration

if TYPE_CHECKING:
    from mtt.drafting import Draft


def show(found: Draft, path: Path) -> None:
    """A few lines, the findings of the scan, and the next command."""
    content, sizes = found.content, found.sizes
    elements = ", ".join(content.elements)
    terminal.said(f"{len(content.frames):,} structures, {content.periodicity}, of {elements}")
    terminal.said(f"targets: {', '.join(_targets(found))}")
    terminal.said(
        f"{found.architecture}: cutoff {sizes.cutoff:g} {content.length_unit[0]} "
        f"({sizes.neighbors:.0f} neighbours), {sizes.n_training:,} structures to train on, "
        f"{sizes.epochs:,} epochs"
    )
    if found.timed is not None:
        whole = found.timed.overhead + sizes.epochs * found.timed.epoch
        terminal.said(
            f"an epoch takes {found.timed.epoch:.3g} s here, the training about {duration(whole)}"
        )
    for remark in found.remarks:
        terminal.said(f"note: {remark}")
    if found.findings:
        scan.findings(found.findings)
    terminal.done(f"wrote {path}")
    if any(one.severity == "wrong" for one in found.findings):
        terminal.said(f"look at what is wrong in the data first (mtt check {path} lists it again)")
    terminal.done(f"next: mtt train {shlex.quote(str(path))}")


def _targets(found: Draft) -> list[str]:
    labels = found.labels
    if labels.scalar:
        return [repr(labels.scalar)]
    named = {"forces": labels.forces, "stress": labels.stress, "virial": labels.virial}
    energy = (
        f"energy {labels.energy!r} ({labels.unit})" if labels.energy else "energy without labels"
    )
    return [energy, *(f"{name} {key!r}" for name, key in named.items() if key)]
