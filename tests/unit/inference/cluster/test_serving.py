# SPDX-License-Identifier: Apache-2.0
"""What is refused before Ray is started. That it works is shown in tests/integration/test_inference_on_ray.py."""

import importlib.util
from pathlib import Path

import pytest

from inference.cluster.serving import ClusterServing, require_ray
from inference.cluster.settings import ClusterSettings
from inference.settings import ModelSettings, ServingSettings, SettingsWrong

SERVING = ServingSettings(models=(ModelSettings(names=("m",), directory=Path("nowhere")),))


def test_without_the_group_the_error_names_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SettingsWrong, match="uv sync --inexact --group ray"):
        require_ray()


@pytest.mark.parametrize("missing", ["RAY_USE_TLS", "RAY_AUTH_MODE"])
def test_joins_no_cluster_that_lets_strangers_in(monkeypatch, missing):
    monkeypatch.setenv("RAY_USE_TLS", "1")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.delenv(missing)
    with pytest.raises(SettingsWrong, match=missing):
        ClusterServing(SERVING, ClusterSettings(address="10.0.0.1:6379"))
