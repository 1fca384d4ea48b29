# SPDX-License-Identifier: Apache-2.0
"""Read a Casbin model, as far as an access policy can say the same.

Rules: what is read is exactly what is understood. A model is one request `sub, obj, act`, one policy `sub, obj, act`
with or without `eft`, at most one role definition `_, _`, an effect that allows by some row, or by some row where none
denies, and a matcher that is a conjunction of one term for each of the three. Anything else is refused with its line: a
model that is nearly understood is one that grants something else.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from policies.contracts.errors import Diagnostic, PolicyRejected, Position

_SECTIONS: Final[Mapping[str, str]] = {
    "request_definition": "r",
    "policy_definition": "p",
    "role_definition": "g",
    "policy_effect": "e",
    "matchers": "m",
}
_REQUIRED: Final = ("request_definition", "policy_definition", "policy_effect", "matchers")
_HEAD: Final = re.compile(r"\[([a-z_]+)\]")
_ASSIGNED: Final = re.compile(r"([a-z][a-z0-9]*)[ \t]*=[ \t]*(.*)")

_ALLOW: Final = "some(where(p.eft==allow))"
_NOT_DENIED: Final = "!some(where(p.eft==deny))"
_EFFECTS: Final[Mapping[str, bool]] = {
    _ALLOW: False,
    f"{_ALLOW}&&{_NOT_DENIED}": True,
    f"{_NOT_DENIED}&&{_ALLOW}": True,
}
_SUBJECT: Final[Mapping[str, tuple[bool, bool]]] = {  # whether roles count, whether `*` in a row is everybody
    "r.sub==p.sub": (False, False),
    "g(r.sub,p.sub)": (True, False),
    '(p.sub=="*"||r.sub==p.sub)': (False, True),
    '(r.sub==p.sub||p.sub=="*")': (False, True),
    '(p.sub=="*"||g(r.sub,p.sub))': (True, True),
    '(g(r.sub,p.sub)||p.sub=="*")': (True, True),
}
_OBJECT: Final[Mapping[str, bool]] = {  # whether `*` in a row is everything
    "r.obj==p.obj": False,
    "p.obj==r.obj": False,
    "keyMatch(r.obj,p.obj)": True,
    '(p.obj=="*"||r.obj==p.obj)': True,
    '(r.obj==p.obj||p.obj=="*")': True,
}
_ACTION: Final[Mapping[str, bool]] = {
    "r.act==p.act": False,
    "p.act==r.act": False,
    '(p.act=="*"||r.act==p.act)': True,
    '(r.act==p.act||p.act=="*")': True,
}
_FUNCTION: Final = re.compile(r"\b([A-Za-z_]\w*)\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class CasbinModel:
    """What a model makes of its rows."""

    has_effect: bool
    denials_count: bool
    roles: bool
    everybody: bool
    every_object: bool
    every_action: bool


def read_model(file: str, text: str) -> CasbinModel:
    """Return what a model says. Raises PolicyRejected with everything that an access policy cannot say."""
    reader = _Reader(file)
    stated = reader.sections(text)
    model = reader.model(stated)
    if reader.problems:
        raise PolicyRejected(reader.problems)
    return model


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self.problems: list[Diagnostic] = []

    def sections(self, text: str) -> dict[str, tuple[str, int]]:
        """Return the value of each section, with its line."""
        stated: dict[str, tuple[str, int]] = {}
        section = ""
        for number, line in enumerate(map(str.strip, text.splitlines()), start=1):
            if not line or line[0] in "#;":
                continue
            if head := _HEAD.fullmatch(line):
                section = head[1]
                if section not in _SECTIONS:
                    self._refuse("unknown-section", number, f"There is no section [{section}] that could be imported.")
                continue
            name, value = self._assigned(line, number)
            if section not in _SECTIONS or not name:
                continue
            if name != _SECTIONS[section] or section in stated:
                message = f"[{section}] has {name!r} beside {_SECTIONS[section]!r}, or something twice."
                self._refuse("several-definitions", number, message, "A model with one of each can be imported.")
            else:
                stated[section] = value, number
        for section in _REQUIRED:
            if section not in stated:
                self._refuse("section-missing", 1, f"There is no [{section}] with {_SECTIONS[section]!r}.")
        return stated

    def _assigned(self, line: str, number: int) -> tuple[str, str]:
        found = _ASSIGNED.fullmatch(line)
        if found is None:
            self._refuse("not-a-definition", number, "This is neither a section nor 'NAME = VALUE'.")
            return "", ""
        if re.search(r"[#;]|\\$", found[2]):
            fix = "Put the comment on a line of its own, and a value on one line."
            self._refuse("comment-in-value", number, "Casbin's readers disagree on what such a value is.", fix)
            return "", ""
        return found[1], found[2].strip()

    def model(self, stated: Mapping[str, tuple[str, int]]) -> CasbinModel:
        """Return what the sections say; wrong ones are noted, and read as the narrowest."""
        self._exactly(stated, "request_definition", ("sub,obj,act",))
        self._exactly(stated, "policy_definition", ("sub,obj,act", "sub,obj,act,eft"))
        self._exactly(stated, "role_definition", ("_,_",))
        effect, line = stated.get("policy_effect", ("", 1))
        packed = _packed(effect)
        if effect and packed not in _EFFECTS:
            fix = "An access policy allows by some grant that no denial stands over."
            self._refuse("effect-not-importable", line, f"The effect {effect!r} is none that grants have.", fix)
        terms = dict(self._terms(*stated.get("matchers", ("", 1))))
        roles, everybody = _SUBJECT.get(terms.get("sub", ""), (False, False))
        if roles and "role_definition" not in stated:
            self._refuse("section-missing", 1, "The matcher asks for roles, and there is no [role_definition].")
        if "role_definition" in stated and terms and not roles:
            self._refuse("roles-unused", stated["role_definition"][1], "Roles are defined, and the matcher has none.")
        return CasbinModel(
            has_effect=_packed(stated.get("policy_definition", ("", 1))[0]).endswith(",eft"),
            denials_count=_EFFECTS.get(packed, False),
            roles=roles,
            everybody=everybody,
            every_object=_OBJECT.get(terms.get("obj", ""), False),
            every_action=_ACTION.get(terms.get("act", ""), False),
        )

    def _exactly(self, stated: Mapping[str, tuple[str, int]], section: str, forms: tuple[str, ...]) -> None:
        value, line = stated.get(section, ("", 1))
        if value and _packed(value) not in forms:
            message = f"[{section}] is {value!r}, not {' or '.join(map(repr, forms))}."
            self._refuse("definition-not-importable", line, message)

    def _terms(self, matcher: str, line: int) -> Iterator[tuple[str, str]]:
        if not matcher:
            return
        known = {**dict.fromkeys(_SUBJECT, "sub"), **dict.fromkeys(_OBJECT, "obj"), **dict.fromkeys(_ACTION, "act")}
        seen: set[str] = set()
        for term in _packed(matcher).split("&&"):
            of = known.get(term)
            if of is None or of in seen:
                functions = sorted(set(_FUNCTION.findall(term)) - {"g", "keyMatch"})
                what = f"the function {functions[0]}" if functions else repr(term)
                fix = "What can be imported: one term for each of sub, obj and act, joined by '&&'."
                self._refuse("matcher-not-importable", line, f"The matcher has {what}, which grants cannot say.", fix)
                continue
            seen.add(of)
            yield of, term
        for name in sorted({"sub", "obj", "act"} - seen):
            if not any(problem.code == "matcher-not-importable" for problem in self.problems):
                self._refuse("matcher-not-importable", line, f"The matcher does not ask for {name}.")

    def _refuse(self, code: str, line: int, message: str, fix: str = "") -> None:
        at = Position(file=self._file, line=line)
        self.problems.append(Diagnostic(code=code, at=at, message=message, fix=fix))


def _packed(text: str) -> str:
    """Return `text` without blanks, and with one kind of quotes."""
    return re.sub(r"\s+", "", text).replace("'", '"')
