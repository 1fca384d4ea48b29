# SPDX-License-Identifier: Apache-2.0
"""Check guards with the embedded Rego engine alone: where there is no OPA, or where the release must run without one.

It gives no syntax tree, so that references to `data` are found in the text, outside strings and comments. That is
stricter than OPA: a name `data` that is not followed by an allowed path is refused wherever it stands.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from policies.bundle.guard_entry import guard_name
from policies.compiler.guard_source import GuardSource, sources_of
from policies.contracts.errors import Diagnostic
from policies.document.model import PolicyDocument
from policies.engines.rego_plan import RegoRefused, compile_rego, refuse_unfaithful

_TOKEN: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*|(?<![\w.])data\b(?P<path>(?:\.\w+)*)')
_PACKAGE: Final = re.compile(r"^\s*package[ \t]+([\w.]+)[ \t]*(?:#.*)?$", re.MULTILINE)
_DECIDES: Final = re.compile(
    r"^(?:deny\s+contains|deny_call\s+contains|(?:default\s+)?allow\b|obligations\s+contains)\b", re.MULTILINE
)
_JUDGES: Final = re.compile(r"\bdeny_call\b")
_OTHER_FORM: Final = re.compile(r"^(?:default\s+)?(?:deny|deny_call|obligations)\b(?!\s+contains\b)", re.MULTILINE)


def check_embedded(guards: Sequence[PolicyDocument]) -> list[Diagnostic]:
    """Return what is wrong with the Rego of `guards`."""
    return [problem for source in sources_of(guards) for problem in _check(source)]


def may_judge_calls(guards: Sequence[PolicyDocument]) -> set[str]:
    """Return the ids of the guards that have `deny_call` as a word: to ask one that has no such rule does no harm."""
    return {source.id for source in sources_of(guards) if _JUDGES.search(source.module)}


def _check(source: GuardSource) -> Iterator[Diagnostic]:
    stated = _PACKAGE.search(source.module)
    if stated is None or stated[1] != source.package:
        yield source.problem("wrong-package", f"The package is not {source.package}.", row=1)
        return
    name = guard_name(source.id)
    allowed = (f".gatehouse.guard_data.{name}", f".gatehouse.guard.{name}")
    for token in _TOKEN.finditer(source.module):
        path = token["path"]
        if path is not None and not any(path == each or path.startswith(each + ".") for each in allowed):
            yield source.problem_at("foreign-data", "A guard reads only its own data and package.", token.start())
    for token in _OTHER_FORM.finditer(source.module):
        yield source.problem_at(
            "rule-form", "deny, deny_call and obligations are sets: write 'contains'.", token.start()
        )
    if not _DECIDES.search(source.module):
        yield source.problem(
            "guard-decides-nothing", "The guard has none of deny, allow, obligations and deny_call.", row=1
        )
    try:
        entrypoint = source.package.replace(".", "/")
        compiled = compile_rego({source.file: source.module}, data=source.data, entrypoints=[entrypoint])
        refuse_unfaithful(compiled)
    except RegoRefused as exc:
        yield source.problem("rego-refused", f"{exc}.", row=1)
