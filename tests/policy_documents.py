# SPDX-License-Identifier: Apache-2.0
"""Documents for nodes of the tests: what is shipped, and a grant for alice."""

from policies.library import pack


def alice_may(*operations: str, models: str = "parrot") -> bytes:
    return f"""\
kind: access
id: first-access
version: "1"
spec:
  grants:
    - {{id: alice, effect: allow, subjects: ["user:alice"], models: ["{models}"], operations: [{", ".join(operations)}]}}
    - {{id: list, effect: allow, subjects: ["user:alice"], operations: [models.list]}}
""".encode()


def shipped() -> dict[str, bytes]:
    """Return the baseline, with alice's grant of everything it lists."""
    return {**pack("baseline"), "access.yaml": alice_may("chat.completions", "completions")}
