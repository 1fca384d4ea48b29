# SPDX-License-Identifier: Apache-2.0
"""What a bundle holds for Rego: every guard's module, the generated entry that asks them all, and their data."""

from collections.abc import Mapping
from typing import Final

from policies.contracts.codec import JSON
from policies.contracts.snapshot import GuardPolicy, PolicySnapshot

ENTRY: Final = "gatehouse/main.rego"

# A member that a guard does not define must not make the entry undefined, for then nothing at all would be answered.
_DEFAULTS: Final = {"allow": "false", "deny": "set()", "obligations": "set()"}


def rego_name(guard_id: str) -> str:
    """Return the last part of a guard's package: its id with `-` as `_`."""
    return guard_id.replace("-", "_")


def rego_modules(snapshot: PolicySnapshot) -> dict[str, str]:
    """Return the Rego files of the bundle of `snapshot`, by member name."""
    modules = {f"gatehouse/guard/{rego_name(guard.id)}.rego": guard.module for guard in snapshot.guards}
    return {ENTRY: _entry(snapshot.guards), **modules}


def rego_data(snapshot: PolicySnapshot) -> dict[str, JSON]:
    """Return what stands at `data` beside the modules: each guard's own data."""
    guard_data: Mapping[str, JSON] = {rego_name(guard.id): guard.data for guard in snapshot.guards}
    return {"gatehouse": {"guard_data": guard_data}}


def _entry(guards: tuple[GuardPolicy, ...]) -> str:
    lines = ["package gatehouse.main", "", "# Generated. Gives what every guard says, with defaults.", ""]
    if not guards:
        lines.append("guards := {}")
    for number, guard in enumerate(guards):
        for member, default in _DEFAULTS.items():
            lines += [
                f"default _{member}_{number} := {default}",
                "",
                f"_{member}_{number} := data.gatehouse.guard.{rego_name(guard.id)}.{member}",
                "",
            ]
        united = ", ".join(f'"{member}": _{member}_{number}' for member in _DEFAULTS)
        lines += [f'guards["{guard.id}"] := {{{united}}}', ""]
    return "\n".join(lines) + "\n"
