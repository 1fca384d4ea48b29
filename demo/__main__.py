# SPDX-License-Identifier: Apache-2.0
"""`make demo`: start everything as `make run` does, take the tour, stop. A step that differs ends it, non-zero."""

import asyncio
import os
import sys
import time
from contextlib import closing

from rich.console import Console

from controlplane.local.home import Home
from controlplane.local.opa_binary import TOOLS, ensure_opa
from controlplane.local.parts import RunSettings
from controlplane.local.runner import AlreadyRunning, running
from controlplane.local.supervisor import PartFailed
from demo.stage import Stage, StepDiffers
from demo.steps import STEPS

out = Console(highlight=False)


async def main() -> int:
    """Return the exit code."""
    began = time.monotonic()
    found = await asyncio.to_thread(ensure_opa, TOOLS, announce=out.print)
    settings = RunSettings(
        home=Home.from_environment(os.environ),
        api_port=int(os.environ.get("GATEHOUSE_API_PORT", "8080")),
        proxy_port=int(os.environ.get("GATEHOUSE_PROXY_PORT", "8000")),
        upstream=None,
        upstream_key_file=None,
        opa=found.path if found else None,
        workers=None,
    )
    try:
        async with running(settings, announce=out.print, stop=asyncio.Event()):
            out.print(f"Everything is healthy after {time.monotonic() - began:.1f} s.\n")
            return await asyncio.to_thread(_take_tour, settings)
    except (AlreadyRunning, PartFailed) as exc:
        out.print(f"[red]{exc}[/]")
        return 1


def _take_tour(settings: RunSettings) -> int:
    with closing(Stage.of(settings.home, embedded_rego=settings.opa is None)) as stage:
        for number, step in enumerate(STEPS, start=1):
            title = (step.__doc__ or "").splitlines()[0]
            out.print(f"[bold]{number:2}. {title}[/]", soft_wrap=True)
            try:
                for line in step(stage):
                    out.print("    " + line, markup=False, soft_wrap=True)
            except StepDiffers as exc:
                out.print(f"[red]    differs: {exc}[/]")
                return 1
    out.print("\nThe tour is done: every step did what it should.")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
