# SPDX-License-Identifier: Apache-2.0
"""Rego modules of others as guards: those that a guard can say, and everything that stands against the rest.

Rules: of a module only the package is rewritten, and rules that ask the entrypoint are put behind it; all else is kept
verbatim. So it must have the rules of a guard already, or an entrypoint, with reason codes that are literals, and read
nothing but `input` as ours is. OPA checks the result as it checks guards.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policies.bundle.guard_entry import guard_name
from policies.compiler.opa_check import check_with_opa, rows_of_rules
from policies.contracts.decision import Mode
from policies.contracts.errors import Diagnostic, Position
from policies.contracts.reasons import REASONS
from policies.document import forms
from policies.document.model import GuardSpec, Places, PolicyDocument
from policies.importing.rego_entrypoint import Entrypoint

_PACKAGE: Final = re.compile(r"(?a:(?:[ \t]*(?:#[^\n]*)?\n)*package[ \t]+([A-Za-z_][\w.]*)[ \t]*(?:\n|\Z))")
_DENIAL: Final = re.compile(
    r"^[ \t]*(?:default[ \t]+)?deny[ \t]+contains[ \t]+(?:\"([^\"\n]*)\"(?=[ \t]*(?:if\b|$|#))|(.))", re.MULTILINE
)
_MODULE: Final = "/spec/module"
_FIX_V1: Final = "Bring it to Rego v1 with 'opa fmt --v0-v1'."


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRego:
    """Documents by id, to be written as YAML, and what stands against the modules that are not among them."""

    documents: Mapping[str, dict[str, Any]]
    problems: tuple[Diagnostic, ...]
    passed_over: tuple[str, ...] = ()


def import_rego(
    files: Mapping[str, str], *, opa_binary: str, entrypoint: Entrypoint | None = None, prefix: str = ""
) -> ImportedRego:
    """Return guards of the modules in `files`, by name. Modules of tests are passed over.

    With an entrypoint, modules of other packages are passed over too, and the guard says what that rule says.
    """
    guards: list[PolicyDocument] = []
    problems: list[Diagnostic] = []
    passed_over: list[str] = []
    rules: dict[str, Mapping[str, int]] = {}
    for name in sorted(files):
        stated = _PACKAGE.match(files[name])
        if name.endswith("_test.rego") or (entrypoint and stated and stated[1] != entrypoint.package):
            passed_over.append(name)
        else:
            found = list(_guard(name, files[name], stated, entrypoint=entrypoint, prefix=prefix))
            if entrypoint and stated:
                rules[name] = rows_of_rules(opa_binary, files[name])
                found += entrypoint.problems(name, rules[name])
            guards += [each for each in found if isinstance(each, PolicyDocument)]
            problems += [each for each in found if isinstance(each, Diagnostic)]
    ids = [guard.id for guard in guards]
    for guard in guards:
        if ids.count(guard.id) > 1:
            problems.append(_problem("duplicate-id", guard.places.at("").file, f"Several modules become {guard.id!r}."))
    for told in map(_told, check_with_opa(opa_binary, guards).problems):
        rows = files[told.at.file].count("\n") + 1
        if entrypoint:
            problems.append(entrypoint.placed(told, rows=rows, rules=rules[told.at.file]))
        else:
            problems.append(told)
    if entrypoint and not (guards or problems):
        message = f"No module has the package {entrypoint.package!r}."
        problems.append(_problem("entrypoint-missing", "--entrypoint", message))
    wrong = {problem.at.file for problem in problems}
    good = [guard for guard in guards if guard.places.at("").file not in wrong]
    documents = {guard.id: _written(guard) for guard in good}
    return ImportedRego(documents=documents, problems=_ordered(problems), passed_over=tuple(passed_over))


def _guard(
    file: str, text: str, stated: re.Match[str] | None, *, entrypoint: Entrypoint | None, prefix: str
) -> Iterator[PolicyDocument | Diagnostic]:
    if stated is None:
        message = "It does not begin with a line that has the package alone."
        yield _problem("wrong-package", file, message, "Write 'package NAME'.")
        return
    name = "-".join(stated[1].removeprefix("gatehouse.guard.").replace("_", "-").lower().split("."))
    name = f"{prefix}-{name}" if prefix else name
    if not forms.ID.fits(name):
        yield _problem(
            "wrong-package", file, f"Of the package {stated[1]!r} no id can be made.", f"An id has {forms.ID.words}."
        )
        return
    codes = entrypoint.reasons() if entrypoint else {}
    for denial in _DENIAL.finditer(text):
        line = text.count("\n", 0, denial.start()) + 1
        code = denial[1]
        if code is None:
            message = "What deny contains is no literal, so that nobody knows which reasons there are."
            yield _problem("reason-not-literal", file, message, "Write the code in quotes.", line=line)
        elif not forms.REASON.fits(code) or code in REASONS:
            message = f"{code[:64]!r} is no reason code, or one of Gatehouse's own."
            yield _problem("reason-not-importable", file, message, f"A code has {forms.REASON.words}.", line=line)
        else:
            codes[code] = f"A guard denies this request: {code}."
    start = Position(file=file, pointer=_MODULE)
    package = f"gatehouse.guard.{guard_name(name)}"
    module = text[: stated.start(1)] + package + text[stated.end(1) :]
    if entrypoint:
        module += entrypoint.added(package)
    yield PolicyDocument(
        kind="guard",
        id=name,
        version="1",
        mode=Mode.ENFORCE,
        description=f"Imported from the package {stated[1]}.",
        spec=GuardSpec(reasons=codes, data={}, module=module),
        tests=(),
        places=Places({"": Position(file=file), _MODULE: start}, {_MODULE: start}),
    )


def _written(guard: PolicyDocument) -> dict[str, Any]:
    spec = guard.spec
    if not isinstance(spec, GuardSpec):
        raise TypeError("only guards are made of Rego")
    return {
        "kind": guard.kind,
        "id": guard.id,
        "version": guard.version,
        "description": guard.description,
        "spec": {"reasons": dict(spec.reasons), "module": spec.module},
    }


def _told(problem: Diagnostic) -> Diagnostic:
    at = Position(file=problem.at.file, line=problem.at.line, column=problem.at.column)
    fix = _FIX_V1 if problem.code == "rego-parse-error" else problem.fix
    return Diagnostic(code=problem.code, at=at, message=problem.message, fix=fix)


def _ordered(problems: Sequence[Diagnostic]) -> tuple[Diagnostic, ...]:
    unique = dict.fromkeys(problems)
    return tuple(sorted(unique, key=lambda each: (each.at.file, each.at.line, each.at.column, each.code)))


def _problem(code: str, file: str, message: str, fix: str = "", *, line: int = 1) -> Diagnostic:
    return Diagnostic(code=code, at=Position(file=file, line=line), message=message, fix=fix)
