# SPDX-License-Identifier: Apache-2.0
"""What the libraries read from the environment, set before they are imported."""

import os


def stay_offline() -> None:
    """Nothing is fetched, and no tokenizer starts threads of its own."""
    os.environ.update(
        HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false"
    )
