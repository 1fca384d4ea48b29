# SPDX-License-Identifier: Apache-2.0
"""Load rego-cpp, and know whether it may be used in this process.

Fact: regopy's library brings its own `operator new` and shares libstdc++ with the process. Where another extension
(numpy is one) loaded libstdc++ first, that keeps the ordinary allocator: memory that one allots is freed by the other,
and the heap is corrupt. Loaded first, both use the same. So the order of loading is looked at here, once, before
regopy is imported, and nothing is compiled where it was wrong: a clear refusal instead of a crash at some later time.
"""

import sys
from pathlib import Path
from typing import Final


def _libstdcxx_is_loaded() -> bool:
    maps = Path("/proc/self/maps")
    return maps.exists() and "libstdc++" in maps.read_text(encoding="utf-8", errors="replace")


# regopy in sys.modules: somebody imported it before us, and its library was loaded then.
LOADED_IN_ORDER: Final = "regopy" in sys.modules or not _libstdcxx_is_loaded()

from regopy import Bundle, Interpreter, LogLevel, RegoError  # noqa: E402  # after the look, which it would change

__all__ = ["LOADED_IN_ORDER", "Bundle", "Interpreter", "LogLevel", "RegoError"]
