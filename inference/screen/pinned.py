# SPDX-License-Identifier: Apache-2.0
"""The digests of the weights this version was published with. Written by `python -m inference.screen.training`."""

from typing import Final

HEAD_SHA256: Final = "218f73558067bbdf534afe775729191f96174c383145ceb4fccef5dbe6c70b64"
NGRAM_SHA256: Final = "406f28b79817fcbc90b667c4d4b67e4a7ea4507bf96e3b284b76f88923602291"
