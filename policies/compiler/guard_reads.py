# SPDX-License-Identifier: Apache-2.0
"""Find the fields of `input` that a guard's answer depends on, or that its answer may never be reused.

Theory: Rego without clock, chance and network is a function of `input` and `data`, and a guard's `data` is signed with
it. So two requests that agree in every field that the module can read get one answer. What it can read is a question
of names: every way to `input` in a syntax tree is a reference with that root, whatever rule, comprehension or head it
stands in, and whatever variable it is given to afterwards.

Rules: a reference counts as its longest prefix of plain names, so that `input.request[x]` is all of `input.request`;
`input` by itself is everything. Whole modules count, not only what `deny` reaches. Not reusable, None, is each of
these: a field that no two requests share (`input.context.time`), a function that is not on the list below or that OPA
marks as nondeterministic, any `with`, which can put another function in the place of one, and any term not known here.

Warning: a name on the list says that OPA's function of that name depends on nothing but its arguments. Read a function
before adding it: `crypto.x509.parse_and_verify_certificates` looks at the clock, and OPA does not mark it.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from policies.engines.guard_input import differs_each_time

# Operators, and what the parser makes of `in`, `:=`, and templates.
_OPERATORS: Final = """
    all and any assign div eq equal gt gte internal.member_2 internal.member_3 internal.template_string lt lte minus mul
    neq or plus rem
"""
_FUNCTIONS: Final = """
    abs array.concat array.flatten array.reverse array.slice base64.decode base64.encode base64.is_valid
    base64url.decode base64url.encode base64url.encode_no_pad bits.and bits.lsh bits.negate bits.or bits.rsh
    bits.xor ceil concat contains count crypto.hmac.equal crypto.hmac.sha256 crypto.hmac.sha512 crypto.md5
    crypto.sha1 crypto.sha256 endswith floor format_int glob.match glob.quote_meta graph.reachable
    graph.reachable_paths hex.decode hex.encode indexof indexof_n intersection is_array is_boolean is_null is_number
    is_object is_set is_string json.filter json.is_valid json.marshal json.patch json.remove json.unmarshal lower
    max min net.cidr_contains net.cidr_contains_matches net.cidr_intersects net.cidr_is_valid numbers.range
    numbers.range_step object.filter object.get object.keys object.remove object.subset object.union object.union_n
    product regex.find_all_string_submatch_n regex.find_n regex.is_valid regex.match regex.replace regex.split
    regex.template_match replace round semver.compare semver.is_valid set_diff sort split sprintf startswith
    strings.any_prefix_match strings.any_suffix_match strings.count strings.replace_n strings.reverse
    strings.split_n substring sum to_number trim trim_left trim_prefix trim_right trim_space trim_suffix type_name
    union units.parse units.parse_bytes upper urlquery.decode urlquery.encode walk yaml.is_valid
"""
DETERMINISTIC: Final = frozenset(f"{_OPERATORS} {_FUNCTIONS}".split())

_TERMS: Final = frozenset(
    {"null", "boolean", "number", "string", "var", "ref", "call", "array", "set", "object", "templatestring"}
    | {"arraycomprehension", "setcomprehension", "objectcomprehension"}
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class _NotReusable(Exception):
    """Something stands in the module that its answer cannot be reused for."""


def reads_of(tree: Mapping[str, Any], *, builtins: Mapping[str, bool]) -> tuple[str, ...] | None:
    """Return the fields of `input` that the module of `tree` (`opa parse`) may read, sorted; None: do not reuse.

    `builtins` maps every function that OPA has to whether it marks it as nondeterministic.
    """
    own = {name for rule in tree.get("rules") or () for name in _names(rule)}
    try:
        paths = set(_paths([tree.get("rules"), tree.get("imports")], own=own, builtins=builtins))
    except (_NotReusable, KeyError, IndexError, TypeError):
        return None
    if any(differs_each_time(path) for path in paths):
        return None
    return tuple(sorted(path for path in paths if not any(path.startswith(f"{other}.") for other in paths)))


def _names(rule: Mapping[str, Any]) -> Iterator[str]:
    head = rule["head"]
    yield head["ref"][0]["value"] if "ref" in head else head["name"]


def _paths(rest: list[Any], *, own: Collection[str], builtins: Mapping[str, bool]) -> Iterator[str]:
    """Give the path of every reference to `input` within `rest`. Raises _NotReusable."""
    while rest:
        node = rest.pop()
        if isinstance(node, list):
            rest += node
            continue
        if not isinstance(node, dict):
            continue
        if node.get("type", "ref") not in _TERMS or "with" in node:
            raise _NotReusable
        called = _called(node)
        if called is not None and not _is_deterministic(called, own, builtins):
            raise _NotReusable
        if _is_input(node):
            raise _NotReusable
        if node.get("type") == "ref" and _is_input(node["value"][0]):
            yield _static(node["value"])
            rest += node["value"][1:]
        else:
            rest += (member for name, member in node.items() if name != "location")


def _called(node: Mapping[str, Any]) -> list[Any] | None:
    """Return the reference by which `node`, an expression or a term, calls a function; None where it calls none."""
    terms = node["value"] if node.get("type") == "call" else node.get("terms")
    if not isinstance(terms, list):
        return None
    if terms[0]["type"] != "ref":
        raise _NotReusable
    reference: list[Any] = terms[0]["value"]
    return reference


def _is_deterministic(called: list[Any], own: Collection[str], builtins: Mapping[str, bool]) -> bool:
    if any(term["type"] != "string" for term in called[1:]):
        return False
    root, name = called[0]["value"], ".".join(str(term["value"]) for term in called)
    if name in builtins:  # first: whether a rule may stand in front of a built-in is not for us to decide
        return name in DETERMINISTIC and not builtins[name]
    return root in own or root == "data"  # of `data`, a guard is let have only its own package


def _is_input(term: Mapping[str, Any]) -> bool:
    return term.get("type") == "var" and term.get("value") == "input"


def _static(reference: list[Any]) -> str:
    path = []
    for term in reference[1:]:
        if term["type"] != "string" or not _NAME.fullmatch(term["value"]):
            break
        path.append(term["value"])
    return ".".join(path)
