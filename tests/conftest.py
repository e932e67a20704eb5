# SPDX-License-Identifier: GPL-2.0-only
"""Real kernels for the tests that need one: what `genfault fetch` caches."""

import os
from pathlib import Path

import pytest

from codegen.base.diagnostics import GenfaultError
from codegen.base.progress import SilentProgress
from codegen.corpus.debian import default_directory, fetch

_KERNELS = {"kernel_61": "6.1", "kernel_612": "6.12"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-goldens` writes the expected outputs anew, for a person to read the diff."""
    parser.addoption("--update-goldens", action="store_true")


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether a test shall write its expected output instead of comparing with it."""
    return bool(request.config.getoption("--update-goldens"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for a kernel has the marker `kernel`: `-m "not kernel"` leaves it out."""
    for item in items:
        if not _KERNELS.keys().isdisjoint(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kernel)


@pytest.fixture(scope="session")
def kernel_61() -> Path:
    """The root of Debian's linux-source-6.1."""
    return _kernel("kernel_61")


@pytest.fixture(scope="session")
def kernel_612() -> Path:
    """The root of Debian's linux-source-6.12."""
    return _kernel("kernel_612")


def _kernel(fixture: str) -> Path:
    try:
        return fetch(_KERNELS[fixture], default_directory(), False, SilentProgress())
    except GenfaultError as error:
        if os.environ.get("CI", "").lower() in ("true", "1"):
            pytest.fail(f"CI has to have the real kernels: {error}")
        pytest.skip(f"no real kernel: {error}")
