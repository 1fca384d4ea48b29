# SPDX-License-Identifier: Apache-2.0
"""Fixtures every suite may use. A part that is not on this machine is a skip that names it, never a silent pass."""

import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import settings

from tests.ports import unused_port

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

settings.register_profile("fast", max_examples=40, deadline=None)
settings.register_profile("deep", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write what the code gives now into tests/golden")


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of test data that is not ours."""
    folder = Path(os.environ.get("GATEHOUSE_CORPORA", ROOT.parent / "shared" / "corpora"))
    if not folder.is_dir():
        pytest.skip("no corpora: set GATEHOUSE_CORPORA to their folder")
    return folder


@pytest.fixture(scope="session")
def opa_binary() -> Path:
    """A real OPA server's binary."""
    found = os.environ.get("GATEHOUSE_OPA_BINARY") or shutil.which("opa")
    if not found:
        pytest.skip("no OPA: set GATEHOUSE_OPA_BINARY or put opa on the PATH")
    return Path(found)


@pytest.fixture
def free_port() -> int:
    """A TCP port of the loopback address that nobody listened on a moment ago."""
    return unused_port()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of a test of both databases the one that it is not about: a skip would say that something is missing."""
    left_out = [item for item in items if _is_of_another_database(item)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def _is_of_another_database(item: pytest.Item) -> bool:
    only = item.get_closest_marker("only_on")
    call = getattr(item, "callspec", None)
    return only is not None and call is not None and only.args[0] not in call.params.values()
