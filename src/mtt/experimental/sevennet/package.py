"""The package ``sevenn``, which is imported when a model is built, not before."""

import warnings
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Iterator

import torch

from mtt.errors import MissingPackageError

NAME = "sevenn"
SERIES = "0.13"
INSTALL = "pip install 'mtt[sevennet]'"


def package(module: str) -> ModuleType:
    """The module ``module`` of sevenn.

    :raises MissingPackageError: sevenn is not installed, is of another version than those that this
        folder is written for, or lacks a package that it needs itself.
    """
    who = "experimental.sevennet"
    try:
        installed = version(NAME)
    except PackageNotFoundError:
        what = f"{who} needs the package {NAME}, which is not installed"
        raise MissingPackageError(what, hint=INSTALL) from None
    if not f"{installed}.".startswith(f"{SERIES}."):
        what = f"{who} needs {NAME} {SERIES}, and {NAME} {installed} is installed"
        raise MissingPackageError(what, hint=INSTALL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations in what it imports itself
            return import_module(f"{NAME}.{module}")
    except ImportError as error:
        what = f"{who}: {NAME} {installed} cannot be imported ({error})"
        raise MissingPackageError(what, hint=INSTALL) from error


@contextmanager
def building_in(dtype: torch.dtype) -> Iterator[None]:
    """Within the block e3nn builds its constants in ``dtype``, as programs that can be copied.

    What it compiles ahead cannot be copied, and is not faster here.
    """
    import e3nn

    usual = torch.get_default_dtype()
    before = e3nn.get_optimization_defaults()
    try:
        torch.set_default_dtype(dtype)
        e3nn.set_optimization_defaults(jit_script_fx=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.set_default_dtype(usual)
        e3nn.set_optimization_defaults(**before)
