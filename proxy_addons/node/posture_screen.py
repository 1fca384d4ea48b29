# SPDX-License-Identifier: Apache-2.0
"""Check that a prompt screen answers, where the policy in force has rules that ask one."""

import asyncio
from pathlib import Path
from typing import Final

from policies.contracts.asked_screen import ScreenAbsent, ScreenQuestion, ScreenText
from policies.contracts.redaction import FieldClass
from proxy_addons.node.messages import ActivateBundle
from proxy_addons.node.posture import Found, Outcome
from proxy_addons.prepared_policy import read_prepared
from proxy_addons.screen_settings import ScreenSettings
from proxy_addons.worker_screen import open_screen

_QUESTION: Final = ScreenQuestion(texts=(ScreenText("Good morning.", FieldClass.USER),), joined=False)
# Longer than any policy may wait: what is asked here is whether it answers, not how soon.
_DEADLINE_MS: Final = 10_000


async def check_screen(settings: ScreenSettings | None, bundle: ActivateBundle | None) -> Found:
    """Return whether the screen answers a question; why not, where it does not."""
    if bundle is None:
        return Found(Outcome.SKIPPED, "no-policy")
    if not await asyncio.to_thread(_is_asked, Path(bundle.path)):
        return Found(Outcome.SKIPPED, "not-asked-for")
    screen = open_screen(settings)
    try:
        [reply] = await screen.ask([_QUESTION], deadline_ms=_DEADLINE_MS)
    finally:
        await screen.close()
    return Found(Outcome.FAILED, reply.why) if isinstance(reply, ScreenAbsent) else Found(Outcome.PASSED, "answers")


def _is_asked(path: Path) -> bool:
    return any(policy.classifier for policy in read_prepared(path).snapshot.screening)
