# SPDX-License-Identifier: Apache-2.0
import importlib
import sys

import google_crc32c
import pytest

from proxy_addons.clients import crc32c as module
from proxy_addons.clients.crc32c import crc32c


@pytest.mark.parametrize(
    ("content", "want"),
    [
        pytest.param(b"", 0, id="nothing"),
        pytest.param(b"123456789", 0xE3069283, id="the-check-value-of-the-polynomial"),
        pytest.param(bytes(32), 0x8A9136AA, id="rfc-3720-zeros"),
        pytest.param(b"\xff" * 32, 0x62A8AB43, id="rfc-3720-ones"),
        pytest.param(bytes(range(32)), 0x46DD794E, id="rfc-3720-ascending"),
    ],
)
def test_is_castagnolis_however_the_bytes_are_divided(content, want):
    assert {crc32c(content[:cut], content[cut:]) for cut in range(len(content) + 1)} == {want}


def test_the_computation_in_python_is_refused(monkeypatch):
    monkeypatch.setattr(google_crc32c, "implementation", "python")
    monkeypatch.delitem(sys.modules, module.__name__)
    with pytest.raises(ImportError, match="compiled part"):
        importlib.import_module(module.__name__)
