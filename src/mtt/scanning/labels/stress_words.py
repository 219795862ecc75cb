"""Findings about a stress whose components are decided, or are not."""

from __future__ import annotations

from collections.abc import Iterable

from mtt.scanning.labels.stress_orders import AS_GIVEN, COMPONENTS, Decision, Reading
from mtt.scanning.tools.by_group import FINE, OPEN, Answer
from mtt.scanning.tools.finding import Severity
from mtt.scanning.tools.regression import FEWEST, Fit
from mtt.scanning.tools.unit_readings import PRESSURES, same

KIND = 0.25  # of the logarithm: units of stress are far apart
_GOOD = 1.3  # slopes within this factor of 1 are right
_STRAINED = "to be sure, add a few strained copies of one structure, sheared ones among them"
_VAGUE = 1.75  # within this factor of 1, slopes that fit no better than by
_CLEAR = 0.98  # this R² prove no other unit
_PROGRAMS = {
    "xx yy zz xy yz xz": "the order of VASP: xx yy zz xy yz zx",
    "xx yy zz xy xz yz": "the order of LAMMPS",
    "xx xy xz yy yz zz": "the rows of the upper triangle",
    "xx xy yy xz yz zz": "the rows of the lower triangle",
}
_FACTORS = {2.0: "they are given twice, as shear strains are: halve them", 2**0.5: (
    "they are multiplied by √2, as in Mandel's notation: divide by it"
), 0.5: "they are given as halves: double them"}  # fmt: skip
_SIX = "xx yy zz yz xz xy"
_NORMAL, _SHEAR = frozenset({0, 1, 2}), frozenset({3, 4, 5})


def answer_of(name: str, word: str, found: Decision) -> Answer:
    """Findings of a certain decision, the worst first."""
    if not found.is_given_possible and found.reading.source != AS_GIVEN.source:
        return _order(name, word, found)
    reversed_ = _reversed(found) - found.open
    decided = frozenset(range(6)) - found.open
    if not found.is_given_possible or (reversed_ and reversed_ != decided):
        return _signs(name, word, found, reversed_)
    if not found.open and not same(abs(found.normal.slope / found.shear.slope), 1.0, KIND):
        return _parts(name, word, found)
    slope = found.both if not found.open else _decided_part(found)
    right = 1 / _GOOD < abs(slope.slope) < _GOOD
    if not reversed_ and not right and _is_vague(slope, word):
        return undecided(name, word, found)
    if reversed_ or not right:
        return _whole(name, word, slope, right, found)
    if found.open:
        return _partly(name, word, found, slope)
    what = f"{name} changes {slope.slope:.2f} times as much as the {word} says, {_over(slope)}"
    return Answer("fine", FINE, what, slope.slope, "", found)


def undecided(name: str, word: str, found: Decision | None) -> Answer:
    """Nothing is decided, because steps are few or fit no interpretation."""
    why, r2 = "too few pairs of similar structures in different cells", None
    if found is not None:
        r2 = found.given.r2
        why = f"R² = {r2:.2f} over {found.given.n} pairs of similar structures"
        if found.is_sure:
            times = f"{found.both.slope:.2f} times as much as it says"
            why = f"{name} changes {times}, {_over(found.both)}"
    what = f"whether the {word} is the derivative of {name} cannot be decided: {why}"
    return Answer("note", OPEN, what, r2, _STRAINED)


def not_compared(name: str, word: str) -> Answer:
    """Finding on structures without a similar one, among others that are right."""
    what = (
        f"no similar structure in another cell is among the data, so that nothing shows whether "
        f"their {word} is the derivative of {name}"
    )
    return Answer("note", OPEN, what, None, _STRAINED)


def wrong_kind(name: str, word: str, found: Decision) -> Answer:
    """A virial that is given as stress, or the other way round."""
    really = "stress" if word == "virial" else "virial"
    # a virial is minus volume times stress
    signed = "" if found.both.slope < 0 else ", with the sign reversed"
    operation = "divided" if word == "stress" else "multiplied"
    what = (
        f"what is given as {word} looks like a {really}{signed}: {name} changes as it says if it "
        f"is {operation} by the volume, {_over(found.both)}"
    )
    advice = f"name it {really} in the options"
    key: tuple[str, ...] = ("kind", signed)
    if not found.is_given_possible:
        key = (*key, found.reading.order)
        advice += f"; its six numbers are then {_orders(found)}, not {_SIX}"
    return Answer("wrong", key, what, found.both.slope, advice)


def contradictory(name: str, word: str, one: Decision, other: Decision) -> Answer:
    """Some steps need another interpretation than the others."""
    what = (
        f"the {word} of some structures has its components in another order, or with other signs, "
        f"than that of others: {_over(one.both)}, if the numbers are {_read(one.signed, one)}; "
        f"{_over(other.both)}, if they are {_read(other.signed, other)}"
    )
    advice = (
        "find out which structures are from which source, and mark them by a key (config_type): "
        "groups are checked one by one"
    )
    return Answer("wrong", ("mixed",), what, one.both.r2, advice)


def _order(name: str, word: str, found: Decision) -> Answer:
    also_signs = any(one.source == AS_GIVEN.source for one in found.possible)
    what = (
        f"the components of the {word} are in another order{' or of other signs' * also_signs}: "
        f"{name} changes as they say if the six numbers are {_orders(found)}, "
        f"{_over(found.both)}; read as {_SIX}, R² = {found.given.r2:.2f}"
    )
    advice = f"write them as {_SIX}, or as a matrix of 3 × 3{_and_unit(found, word)}"
    key = ("order", found.reading.source, _reversed(found), _size(found))
    return Answer("wrong", key, what, found.both.slope, advice, found)


def _signs(name: str, word: str, found: Decision, wrong: frozenset[int]) -> Answer:
    which = listed(wrong)
    if not wrong:  # one of several is wrong, and the data do not say which one
        ways = [frozenset(b for b in range(6) if one.signs[b] < 0) for one in found.possible]
        which = " or ".join(dict.fromkeys(map(listed, ways)))
    single = len(wrong) == 1
    what = (
        f"{which} of the {word} {'has' if single else 'have'} the wrong sign: {name} changes as "
        f"the {word} says with {'it' if single else 'them'} reversed, {_over(found.both)}; as "
        f"given, R² = {found.given.r2:.2f}"
    )
    advice = f"reverse the sign of {which}: {rule_of(word)}{_and_unit(found, word)}"
    key = ("signs", wrong, _size(found))
    return Answer("wrong", key, what, found.both.slope, advice, found)


def _parts(name: str, word: str, found: Decision) -> Answer:
    """Normal and shear components of different size."""
    normal, shear = abs(found.normal.slope), abs(found.shear.slope)
    times = normal / shear
    reason = next((why for factor, why in _FACTORS.items() if same(times, factor, 0.15)), "")
    units = [u for u, per in PRESSURES.items() if same(max(times, 1 / times), per, KIND)]
    if not reason and units:
        reason = f"{'shear' if times > 1 else 'normal'} components would fit {units[0]} for eV/Å³"
    what = (
        f"shear components of the {word} have another unit than the others: {name} changes "
        f"{normal:.3g} times as much as xx, yy and zz say, and {shear:.3g} times as much as yz, "
        f"xz and xy say, "
        f"{_over(found.explained)}"
    )
    sure: Severity = "wrong" if reason or not 1 / 3 < times < 3 else "suspicious"
    advice = reason or "no common factor explains it"
    return Answer(sure, ("parts", round(times, 1)), what, found.shear.slope, advice, found)


def _whole(name: str, word: str, slope: Fit, is_unit_right: bool, found: Decision) -> Answer:
    size = abs(slope.slope)
    problems = ["the wrong sign"] * (slope.slope < 0) + ["another unit"] * (not is_unit_right)
    what = f"the {word} has {' and '.join(problems)}: {name} changes {slope.slope:.3g} times "
    advice = [f"reverse its sign: {rule_of(word)}"] if slope.slope < 0 else []
    unit = next((u for u, per in PRESSURES.items() if same(1 / size, per, KIND)), "")
    advice += [] if is_unit_right else [unit_advice(size, word)]
    sure: Severity = "wrong" if slope.slope < 0 or unit or not 1 / 3 < size < 3 else "suspicious"
    key = ("slope", slope.slope < 0, is_unit_right or unit or round(size, 1))
    said = f"{what}as much as it says, {_over(slope)}"
    return Answer(sure, key, said, slope.slope, "; ".join(advice), found)


def _partly(name: str, word: str, found: Decision, slope: Fit) -> Answer:
    """Decided components are right, and the others are open."""
    rest = frozenset(range(6)) - found.open
    which = f"{'the shear components ' * (found.open == _SHEAR)}{listed(found.open)}"
    right = f"{listed(rest)} {'is' if len(rest) == 1 else 'are'}" if rest else "their sums are"
    what = (
        f"whether {which} of the {word} are in the right order and of the right sign cannot be "
        f"decided from these data; {right} right: {name} changes {slope.slope:.2f} times as "
        f"much as {'it says' if len(rest) == 1 else 'they say'}, {_over(slope)}"
    )
    need = "sheared" if found.open <= _SHEAR else "strained and sheared"
    need = "strained" if found.open <= _NORMAL else need
    advice = f"to be sure, add a few copies of one structure, {need} along one axis after the other"
    return Answer("note", ("open", found.open), what, slope.slope, advice)


def _is_vague(slope: Fit, word: str) -> bool:
    """A slope that is not right and that no unit explains, over steps that are long or few."""
    size, few = abs(slope.slope), (slope.independent or slope.n) < FEWEST
    is_near = 1 / _VAGUE < size < _VAGUE
    unit = any(same(1 / size, per, KIND) for per in PRESSURES.values()) and word == "stress"
    return not unit and ((is_near and slope.r2 < _CLEAR) or (few and 1 / 3 < size < 3))


def _decided_part(found: Decision) -> Fit:
    """The slope of what is decided."""
    if found.shear.is_sure and found.normal.is_sure:
        return found.both
    return found.shear if found.shear.is_sure else found.normal


def unit_advice(size: float, word: str) -> str:
    """What unit a factor would fit, in words."""
    unit = next((u for u, per in PRESSURES.items() if same(1 / size, per, KIND)), "")
    return f"it would fit {unit} for eV/Å³" if unit and word == "stress" else "no common unit fits"


def rule_of(word: str) -> str:
    """When a stress, or a virial, is positive."""
    rule = "positive under tension" if word == "stress" else "minus volume times stress"
    return f"a {word} is {rule}"


def _orders(found: Decision) -> str:
    """All that are possible: ``xx yy zz xy yz xz (the order of VASP) with xy reversed``."""
    return " or ".join(dict.fromkeys(_read(one, found) for one in (found.signed, *found.possible)))


def _read(reading: Reading, found: Decision) -> str:
    return order_in_words(reading, _negative(reading, found))


def order_in_words(reading: Reading, negative: Iterable[int] | None = None) -> str:
    """``xx yy zz xy yz xz (the order of VASP) with xy reversed``.

    :param negative: components of the wrong sign; those of the reading where left out.
    """
    order = reading.order
    signs = [b for b in range(6) if reading.signs[b] < 0] if negative is None else list(negative)
    known = f" ({_PROGRAMS[order]})" if order in _PROGRAMS else ""
    return f"{order}{known}" + (f" with {listed(signs)} reversed" if signs else "")


def _reversed(found: Decision) -> frozenset[int]:
    return _negative(found.signed, found)


def _negative(reading: Reading, found: Decision) -> frozenset[int]:
    """Components of the wrong sign, where the work of their part is sure."""
    known = (_NORMAL if found.normal.is_sure else frozenset()) | (
        _SHEAR if found.shear.is_sure else frozenset()
    )
    return frozenset(b for b in known if reading.signs[b] < 0)


def _size(found: Decision) -> float:
    return round(abs(found.both.slope), 1)


def _and_unit(found: Decision, word: str) -> str:
    size = abs(found.both.slope)
    return "" if 1 / _GOOD < size < _GOOD else f"; {unit_advice(size, word)}"


def listed(components: Iterable[int]) -> str:
    """Components in words: ``yz, xz and xy``."""
    names = [COMPONENTS[b] for b in sorted(components)]
    return ", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else "".join(names)


def _over(slope: Fit) -> str:
    return f"over {slope.n} pairs of similar structures, R² = {slope.r2:.2f}"
