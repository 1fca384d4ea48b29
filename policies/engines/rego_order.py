# SPDX-License-Identifier: Apache-2.0
"""Give the embedded Rego engine OPA's order of values of different types.

Fact: rego-cpp compares values of different types by their text, so that `null > 512` is true and `{} < 1` false. In OPA
null is less than every boolean, a boolean than every number, then strings, arrays, objects, sets. A cap on `max_tokens`
would refuse whoever states none, and `input.request.max_tokens < 1` would miss them.

So every comparison in a compiled plan is redirected to a function, written in Rego and planned with it, that compares
types first. Two arrays, objects or sets fail (a division by zero, which strict errors make a failure of the query),
because rego-cpp compares those by their text too. A caller who gets an error refuses; one who got the text's order
would not know.
"""

from collections.abc import Mapping
from typing import Any, Final

ORDER_PACKAGE: Final = "gatehouse_order"

ORDER_MODULE: Final = """package gatehouse_order

lt(a, b) := a < b if {
  type_name(a) == type_name(b)
  rank(a) < 27
} else := rank(a) < rank(b) if {
  type_name(a) != type_name(b)
} else := 1 / (rank(a) - rank(b)) > 0

rank(x) := indexof("null boolean number string array object set", type_name(x))

gt(a, b) := lt(b, a)

lte(a, b) := lt(b, a) == false

gte(a, b) := lt(a, b) == false
"""

_PREFIX: Final = f"g0.data.{ORDER_PACKAGE}."
_COMPARISONS: Final = frozenset({"lt", "lte", "gt", "gte"})

# In a plan, the first two locals of every function and of every call of one are `input` and `data`.
_INPUT_AND_DATA: Final = ({"type": "local", "value": 0}, {"type": "local", "value": 1})


def redirect_comparisons(plan: Mapping[str, Any]) -> None:
    """Make every comparison in `plan`, but those of the order itself, a call of the order's function."""
    _redirect(plan["plans"])
    for function in plan["funcs"]["funcs"]:
        if not function["name"].startswith(_PREFIX):
            _redirect(function["blocks"])


def _redirect(part: object) -> None:
    if isinstance(part, dict):
        if part.get("func") in _COMPARISONS:
            part["func"] = _PREFIX + part["func"]
            part["args"] = [*_INPUT_AND_DATA, *part["args"]]
        for member in part.values():
            _redirect(member)
    elif isinstance(part, list):
        for member in part:
            _redirect(member)
