"""What a check raises: a broken promise, or that the check does not apply."""

from __future__ import annotations

from mtt.errors import MttError


class CheckFailed(MttError):
    """An architecture breaks a promise; the check says where to look."""


class DoesNotApply(Exception):
    """The check asks for something that this architecture has not; the text says what."""
