# SPDX-License-Identifier: Apache-2.0
import asyncio
import threading

import pytest

from proxy_addons.addons.aside import Aside


async def test_the_loop_goes_on_while_something_long_is_examined():
    may_end = threading.Event()
    examined = asyncio.ensure_future(Aside().run(lambda: may_end.wait(10)))
    await asyncio.sleep(0)  # would not return if it were examined here
    assert not examined.done()
    may_end.set()
    assert await examined


async def test_what_it_raises_is_raised_here():
    def examine() -> None:
        raise ValueError("not of its dialect")

    with pytest.raises(ValueError, match="dialect"):
        await Aside().run(examine)
