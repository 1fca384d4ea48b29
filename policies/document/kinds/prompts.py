# SPDX-License-Identifier: Apache-2.0
"""`prompts`: system prompts that are approved, and which requests must have one or are given one."""

import difflib
from collections.abc import Collection, Sequence
from typing import Final

from policies.contracts.prompts import ApprovedPrompt, OnOwn, PromptRule, prompt_digest
from policies.document import forms
from policies.document.kinds.rules import check_ids
from policies.document.model import PromptsSpec
from policies.document.reader import Members

_PROMPT: Final = ("name", "text", "digest")
_RULE: Final = ("id", "operations", "models", "subjects", "require", "insert", "on_own")


def read_prompts(document: Members, _id: str) -> PromptsSpec:
    """Return the `spec` of a prompts policy."""
    spec = document.object("spec", known=("prompts", "rules"), required=("prompts", "rules"))
    if spec is None:
        return PromptsSpec(prompts=(), rules=())
    entries = spec.objects("prompts", known=_PROMPT, required=_PROMPT[:2], at_least=1)
    prompts = tuple(map(_prompt, entries))
    _check_names(entries, prompts)
    rules = spec.objects("rules", known=_RULE, required=("id",), at_least=1)
    names = [prompt.name for prompt in prompts]
    read = tuple(_rule(rule, names) for rule in rules)
    check_ids(rules, [rule.id for rule in read])
    return PromptsSpec(prompts=prompts, rules=read)


def _prompt(entry: Members) -> ApprovedPrompt:
    text = entry.text("text", forms.PROMPT)
    computed = prompt_digest(text)
    if "digest" in entry and text:
        stated = entry.text("digest", forms.DIGEST)
        if stated and stated != computed:
            # The digest of a text that somebody approved; the text itself stays out of what is said about it.
            entry.notes.add(
                "digest-differs", entry.at("digest"), f"The text has the digest {computed}.", "Have the text approved."
            )
    return ApprovedPrompt(name=entry.text("name", forms.ID), text=text, digest=computed)


def _rule(rule: Members, names: Sequence[str]) -> PromptRule:
    if ("require" in rule) == ("insert" in rule):
        rule.notes.add("require-or-insert", rule.node.at, "A rule has either require or insert.", "Write one of them.")
    require = rule.texts("require", forms.ID, at_least=1)
    insert = rule.text("insert", forms.ID) if "insert" in rule else None
    for name in (*require, *(() if insert is None else (insert,))):
        if name and name not in names:
            _unknown(rule, "insert" if name == insert else "require", name, names)
    if "on_own" in rule and "insert" not in rule:
        problem = "Only beside 'insert' does on_own mean anything."
        rule.notes.add("option-without-effect", rule.at("on_own"), problem, "Remove it.")
    return PromptRule(
        id=rule.text("id", forms.ID),
        operations=rule.texts("operations", forms.OPERATION),
        models=rule.texts("models", forms.MODEL),
        subjects=rule.texts("subjects", forms.SUBJECT),
        require=require,
        insert=insert,
        on_own=rule.choice("on_own", OnOwn, OnOwn.REFUSE),
    )


def _unknown(rule: Members, member: str, name: str, names: Collection[str]) -> None:
    near = difflib.get_close_matches(name, names, n=1)
    fix = f"Is {near[0]!r} meant?" if near else "Add it to spec.prompts."
    rule.notes.add("unknown-prompt", rule.at(member), f"The policy has no prompt {name!r}.", fix)


def _check_names(entries: Sequence[Members], prompts: Sequence[ApprovedPrompt]) -> None:
    seen: dict[str, str] = {}
    for entry, prompt in zip(entries, prompts, strict=True):
        if prompt.name and prompt.name in seen.values():
            entry.notes.add("duplicate-id", entry.at("name"), f"There is {prompt.name!r} already.", "Rename one.")
        elif prompt.text and prompt.text in seen:
            problem = f"{seen[prompt.text]!r} has the same text."
            entry.notes.add("duplicate-value", entry.at("text"), problem, "Keep one: a record names one.")
        seen.setdefault(prompt.text, prompt.name)
