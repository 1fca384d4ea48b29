# SPDX-License-Identifier: Apache-2.0
"""Approved system prompts: which there are, and which requests must have one, or are given one.

Theory: what a system prompt says steers everything after it, so an organisation approves its text, and policy names it.
A rule either requires that the request's one system text is approved, character by character, or has the proxy put an
approved one in. Of a policy's rules the first that selects a request counts; policies hold together.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

from policies.contracts.decision import Mode
from policies.contracts.members import members

NOT_APPROVED: Final = "system-prompt-not-approved"


class OnOwn(StrEnum):
    """What becomes of a request that has a system text of its own, where one is put in.

    REFUSE: it is refused. KEEP: its own stays, behind the one that is put in.
    """

    REFUSE = "refuse"
    KEEP = "keep"


def prompt_digest(text: str) -> str:
    """Return `sha256:` and the hexadecimal SHA-256 of `text` in UTF-8."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedPrompt:
    """`digest` is that of `text`: records name a prompt by it, and never say the text."""

    name: str
    text: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptRule:
    """Either `require` names approved prompts, one of which must be there, or `insert` names the one that is put in.

    Selectors are as in RedactionRule: empty selects all.
    """

    id: str
    operations: tuple[str, ...]
    models: tuple[str, ...]
    subjects: tuple[str, ...]
    require: tuple[str, ...]
    insert: str | None
    on_own: OnOwn


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptsPolicy:
    """Every name in `rules` is one of `prompts`."""

    id: str
    version: str
    mode: Mode
    prompts: tuple[ApprovedPrompt, ...]
    rules: tuple[PromptRule, ...]

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Read one as a snapshot has it. Raises ValueError, also where a digest is not that of its text."""
        prompts = tuple(ApprovedPrompt(**members(ApprovedPrompt, prompt)) for prompt in raw["prompts"])
        rules = tuple(_rule(rule) for rule in raw["rules"])
        names = {prompt.name for prompt in prompts}
        for prompt in prompts:
            if prompt.digest != prompt_digest(prompt.text):
                msg = f"the digest of the prompt {prompt.name} is not that of its text"
                raise ValueError(msg)
        for rule in rules:
            said = {*rule.require} if rule.insert is None else {rule.insert}
            if bool(rule.require) == (rule.insert is not None) or not said <= names:
                msg = f"the rule {rule.id} does not either require or insert prompts that there are"
                raise ValueError(msg)
        return cls(**members(cls, raw) | {"mode": Mode(raw["mode"]), "prompts": prompts, "rules": rules})


def _rule(raw: Mapping[str, Any]) -> PromptRule:
    lists = {name: tuple(raw[name]) for name in ("operations", "models", "subjects", "require")}
    return PromptRule(**members(PromptRule, raw) | lists | {"on_own": OnOwn(raw["on_own"])})
