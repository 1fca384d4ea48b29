# SPDX-License-Identifier: Apache-2.0
"""How often Python looks for objects that refer to each other in circles.

Facts: it looks after every 700 new containers, and now and then through all there are: half a million once everything
is imported, a tenth of a second in which nothing else runs. A batch of records has 80,000 containers, none in a circle,
so that reading it cost more time for looking than for reading. What is there when serving begins stays for good.
"""

import gc
from typing import Final

# Some megabytes of garbage that only this finds may lie about: errors with their tracebacks, mostly.
_NEW_CONTAINERS: Final = 50_000


def look_for_circles_less() -> None:
    """Look only among what was made from now on, and that less often. Called once, before the first request."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_CONTAINERS, 20, 10)
