# SPDX-License-Identifier: Apache-2.0
"""What the libraries find in the environment."""

import os

from inference.offline import stay_offline


def test_nothing_is_fetched_whatever_the_environment_said_before(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY"):
        monkeypatch.setenv(name, "0")
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    stay_offline()
    assert [
        os.environ[name]
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "TOKENIZERS_PARALLELISM")
    ] == ["1", "1", "1", "false"]
