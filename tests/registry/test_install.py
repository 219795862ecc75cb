"""The command that brings a missing module."""

from __future__ import annotations

import pytest

from mtt.registry.install import install_command

EXTRAS = (
    "Absent.Package>=2; extra == 'fast'",
    "sphericart-torch; extra == 'harmonics'",
    "numpy; extra == 'my-arch'",
)


@pytest.mark.parametrize(
    ("module", "architecture", "command"),
    [
        ("absent_package", "a", "'thing[fast]'"),
        ("absent_package.part", "a", "'thing[fast]'"),
        ("sphericart.torch", "a", "'thing[harmonics]'"),
        ("whatever", "my_arch", "'thing[my-arch]'"),
        ("whatever", "experimental.my_arch", "'thing[my-arch]'"),
        ("some_module.part", "a", "some-module"),
    ],
)
def test_an_extra_is_preferred_to_the_module_itself(install, module, architecture, command) -> None:
    install("thing", {}, EXTRAS)
    assert install_command(module, architecture, "thing") == f"pip install {command}"


def test_of_a_package_that_is_not_installed_no_extra_is_known() -> None:
    assert install_command("some_module", "a", "not-installed") == "pip install some-module"
