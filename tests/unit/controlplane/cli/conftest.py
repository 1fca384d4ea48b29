# SPDX-License-Identifier: Apache-2.0
"""The command against the real API, without a port between them."""

import functools
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import structlog
from click.testing import CliRunner, Result

from controlplane.cli import shared
from controlplane.cli.main import main
from controlplane.client import ApiClient
from tests.control_planes import ACCESS, ROUTES, TOKENS, PlaneUnderTest, make_plane, sqlite_url

Gatehouse = Callable[..., Result]


@pytest.fixture
def under_test(tmp_path: Path) -> PlaneUnderTest:
    return make_plane(sqlite_url(tmp_path))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "credentials.json").write_text(json.dumps({"api_url": "http://gatehouse.test", "tokens": TOKENS}))
    return folder


@pytest.fixture
def gatehouse(under_test: PlaneUnderTest, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gatehouse]:
    """Run the command in `home`; give its exit code, what it printed and what it complained about."""
    over = functools.partial(ApiClient, transport=httpx.WSGITransport(app=under_test.app))
    monkeypatch.setattr(shared, "ApiClient", over)
    for name in [name for name in os.environ if name.startswith("GATEHOUSE_")]:
        if name != "GATEHOUSE_OPA_BINARY":
            monkeypatch.delenv(name)

    def run(*arguments: object, **environment: str) -> Result:
        set_here = {"GATEHOUSE_HOME": str(home), "COLUMNS": "200", **environment}
        return CliRunner().invoke(main, [str(argument) for argument in arguments], env=set_here, prog_name="gatehouse")

    # The API is in this process, so that its log would be among what the command prints.
    with structlog.testing.capture_logs():
        yield run


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "access.yaml").write_text(ACCESS)
    (folder / "routes.yml").write_text(ROUTES)
    (folder / "notes.txt").write_text("not a policy")
    return folder
