"""One question for each group of the structures of a file, and the combined answers.

What one group proves is not said of another one that proves nothing. A group without an answer
shares that of the whole file only if its own steps agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from mtt.scanning.tools.finding import Finding, Severity
from mtt.scanning.tools.groups import Partition, named
from mtt.scanning.tools.regression import FEWEST
from mtt.scanning.tools.steps import Steps
from mtt.scanning.tools.structures import Mask, Structures


class Answer(NamedTuple):
    """The answer of some steps.

    :param key: answers of one key say the same; ``FINE``, ``OPEN`` with what is not decided,
        or what is wrong.
    :param law: what steps are to agree with that share the answer.
    """

    severity: Severity
    key: tuple[Any, ...]
    what: str
    number: float | None = None
    advice: str = ""
    law: Any = None

    @property
    def is_bad(self) -> bool:
        return self.severity in ("wrong", "suspicious")

    @property
    def is_open(self) -> bool:
        return bool(self.key[0] == "open")


_ALONE = 0.1  # of a group, and
_FEW = 5  # structures that no step leads to, from which on they are named
FINE = ("fine",)
OPEN = ("open",)


class Question(NamedTuple):
    """Something that steps between structures answer.

    :param check: name of the findings.
    :param usable: [m] steps that can answer.
    :param labelled: [n] structures that the answer is about.
    :param judge: the answer of some steps.
    :param agrees: whether some steps agree with an answer's ``law``.
    :param alone: what is said of structures that no step leads to, where others are fine; None:
        these speak for all of their group.
    """

    check: str
    usable: Mask
    labelled: Mask
    judge: Callable[[Steps], Answer]
    agrees: Callable[[Steps, Any], bool]
    alone: Answer | None = None


class _Divided(NamedTuple):
    partition: Partition
    answers: dict[int, Answer]  # by value
    frames: dict[int, Mask]  # [n] labelled structures of each value


def ask(
    structures: Structures, steps: Steps, question: Question, partitions: Sequence[Partition]
) -> Iterator[Finding]:
    """Findings of each file, by group where groups answer differently.

    :param partitions: as of :func:`mtt.scanning.tools.groups.partitions`; the first one names the
        groups that are not decided, the others are looked at for groups that are wrong.
    """
    for file in np.unique(structures.file[question.labelled]):
        labelled = question.labelled & (structures.file == file)
        usable = question.usable & (structures.file[steps.first] == file)
        mine = steps.chosen(usable)
        whole = question.judge(mine)
        divided = _divide(mine, question, partitions, labelled, whole)
        if divided is None:
            yield from _findings(structures, mine, question, whole, labelled, "")
        else:
            yield from _by_answer(structures, mine, question, divided)


def _divide(
    mine: Steps,
    question: Question,
    partitions: Sequence[Partition],
    labelled: Mask,
    whole: Answer,
) -> _Divided | None:
    """The partition to report by; None if one answer serves the whole file."""
    naming = None
    for rank, partition in enumerate(partitions):
        frames = {
            value: labelled & partition.group(value)
            for value in np.unique(partition.of[labelled]).tolist()
        }
        if len(frames) < 2:
            continue
        answers = {v: _answer(mine, question, group, whole) for v, group in frames.items()}
        divided = _Divided(partition, answers, frames)
        others = [one for one in answers.values() if not one.is_open and one.key != whole.key]
        if any(one.is_bad for one in others) or (others and whole.is_bad):
            return divided
        if naming is None and (partition.is_text or rank == len(partitions) - 1):
            naming = divided
    if naming is None or all(one.key == whole.key for one in naming.answers.values()):
        return None
    if all(one.key == OPEN for one in naming.answers.values()):
        return None  # no group proves more than another one
    return naming


def _answer(mine: Steps, question: Question, group: Mask, whole: Answer) -> Answer:
    """Answer of one group; that of the whole file where the group's few steps agree with it."""
    inside = group[mine.first] & group[mine.second]
    answer = question.judge(mine.chosen(inside)) if inside.sum() >= FEWEST else None
    if answer is not None and not answer.is_open:
        return answer
    if not whole.is_open:
        touching = group[mine.first] | group[mine.second]
        if touching.any() and question.agrees(mine.chosen(touching), whole.law):
            return whole
    return question.judge(mine.chosen(inside)) if answer is None else answer


def _by_answer(
    structures: Structures, mine: Steps, question: Question, divided: _Divided
) -> Iterator[Finding]:
    """One finding of all groups with the same answer."""
    buckets: dict[tuple[Any, ...], list[int]] = {}
    for value, answer in divided.answers.items():
        buckets.setdefault(answer.key, []).append(value)
    for key, values in buckets.items():
        frames = [int(divided.frames[value].sum()) for value in values]
        group = np.logical_or.reduce([divided.frames[value] for value in values])
        largest = divided.answers[values[int(np.argmax(frames))]]
        together = largest
        if len(values) > 1 and key[0] != "open":
            code = np.where(group, divided.partition.of, -2)
            inside = (code[mine.first] == code[mine.second]) & (code[mine.first] != -2)
            joint = question.judge(mine.chosen(inside))
            together = joint if joint.key == key else largest
        said = named(divided.partition, values, frames)
        yield from _findings(structures, mine, question, together, group, said)


def _findings(
    structures: Structures,
    mine: Steps,
    question: Question,
    answer: Answer,
    group: Mask,
    said: str,
) -> Iterator[Finding]:
    """The answer, and the structures of the group that no step leads to."""
    alone = group.copy()
    alone[mine.first] = alone[mine.second] = False
    n, total = int(alone.sum()), int(group.sum())
    if question.alone is None or answer.severity != "fine" or n < max(_ALONE * total, _FEW):
        yield _finding(structures, question.check, answer, group, said)
        return
    for part, one in ((group & ~alone, answer), (alone, question.alone)):
        some = f"{said + ', ' * bool(said)}{int(part.sum())} of {total} structures"
        yield _finding(structures, question.check, one, part, some)


def _finding(structures: Structures, check: str, answer: Answer, group: Mask, said: str) -> Finding:
    what = f"{said}: {answer.what}" if said else answer.what
    places = structures.places(group) if said else structures.whole(group)
    return Finding(check, answer.severity, what, places, answer.number, "", answer.advice)
