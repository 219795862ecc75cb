"""Options that schedules have in common, and what may be given for them."""

from __future__ import annotations

from mtt.training.options.named_options import Option, is_integer, is_number


def fraction(default: float | None) -> Option:
    """A number from 0 to 1."""
    return Option(default, lambda v: is_number(v) and 0 <= v <= 1, "a number from 0 to 1")


def inner(default: float | None) -> Option:
    """A number between 0 and 1."""
    return Option(default, lambda v: is_number(v) and 0 < v < 1, "a number between 0 and 1")


def positive(default: float | None) -> Option:
    """A number above 0."""
    return Option(default, lambda v: is_number(v) and v > 0, "a number above 0")


def at_least_one(default: float) -> Option:
    """A number of at least 1."""
    return Option(default, lambda v: is_number(v) and v >= 1, "a number of at least 1")


def count(default: int | None, low: int = 0) -> Option:
    """An integer of at least ``low``."""
    return Option(default, lambda v: is_integer(v) and v >= low, f"an integer of at least {low}")


def choice(*names: str) -> Option:
    """One of ``names``; the first is the default."""
    return Option(names[0], lambda v: v in names, f"one of {', '.join(names)}")


WARMUP = {"warmup_steps": count(None), "warmup_from": fraction(0.0)}
"""Of every schedule that begins with the warm-up."""

LOW = {"min_factor": fraction(0.0)}
"""Of every schedule that ends at a part of the peak."""
