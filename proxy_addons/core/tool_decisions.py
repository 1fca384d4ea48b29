# SPDX-License-Identifier: Apache-2.0
"""The tool calls of a choice: read for the decision point, and written again without those that it refuses.

Rules: what is decided on is what would leave, so redaction comes first. A call is one of a function, with a name and
with arguments that are one strict JSON object, in a text or as they are; whatever else stands where calls stand is a
call that nobody can read, which every decision refuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policies.contracts.tools import AskedCall, OnRefusal, RefusedCall
from policies.evaluation.tool_calls import CallVerdict
from proxy_addons.core.strict_json import NotStrictJson, canonical, parse_object

CALLS: Final = frozenset({"tool_calls", "function_call"})
# What a choice ends with where nothing but calls was wanted, and none is left.
_ENDED_TO_CALL: Final = frozenset({"tool_calls", "function_call"})
_STOP: Final = "stop"
_OF_FUNCTION: Final = (None, "", "function")


class CallsInvalid(ValueError):
    """What stands where tool calls stand is no list of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What is left of the calls of a choice: its members, texts in place of calls, and the refusal that ends it all."""

    left: Mapping[str, Any]
    texts: tuple[str, ...]
    cut: RefusedCall | None
    told: tuple[RefusedCall, ...]

    def text(self, *, after: bool) -> str:
        """Return what the choice says in place of calls, behind a text of its own where there is one."""
        return "\n".join(["", *self.texts] if after and self.texts else self.texts)

    def reason(self, given: Any) -> Any:
        """Return the `finish_reason` of the choice, of which `given` was the upstream's."""
        return given if self.left or given not in _ENDED_TO_CALL else _STOP


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceCalls:
    """The calls of one choice. `asked` has them in the order of `tool_calls`, with `function_call` behind."""

    tool_calls: Sequence[Any]
    function_call: Any
    asked: tuple[AskedCall, ...]

    @classmethod
    def of(cls, members: Mapping[str, Any]) -> "ChoiceCalls | None":
        """Return the calls among the members of a message, None where there are none. Raises CallsInvalid."""
        tool_calls, function_call = members.get("tool_calls"), members.get("function_call")
        if tool_calls is not None and not isinstance(tool_calls, list):
            raise CallsInvalid("tool_calls is no list")
        asked = [_asked(index, call) for index, call in enumerate(tool_calls or ())]
        if function_call is not None:
            asked.append(_function(len(asked), function_call))
        if not asked:
            return None
        return cls(tool_calls=tool_calls or (), function_call=function_call, asked=tuple(asked))

    def settled(self, verdicts: Sequence[CallVerdict]) -> Settled:
        """Return what is left by `verdicts`, one for each of `asked`. A call without one is cut off: nobody decided."""
        by_index = {verdict.index: verdict for verdict in verdicts}
        if by_index.keys() != {call.index for call in self.asked}:
            raise LookupError("not every call was decided")
        left: dict[str, Any] = {}
        kept = [call for index, call in enumerate(self.tool_calls) if by_index[index].refused is None]
        if kept:
            left["tool_calls"] = [_numbered(place, call) for place, call in enumerate(kept)]
        if self.function_call is not None and by_index[len(self.tool_calls)].refused is None:
            left["function_call"] = self.function_call
        refused = [verdict for verdict in verdicts if verdict.refused is not None]
        replaced = [verdict.refused for verdict in refused if verdict.action is OnRefusal.REPLACE]
        cut = next((verdict.refused for verdict in refused if verdict.action is OnRefusal.CUT), None)
        told = [*(verdict.refused for verdict in refused), *(each for verdict in verdicts for each in verdict.observed)]
        return Settled(
            left=left,
            texts=tuple(f"[tool call refused: {each.reason.code}]" for each in replaced if each is not None),
            cut=cut,
            told=tuple(each for each in told if each is not None),
        )


def _asked(index: int, call: Any) -> AskedCall:
    if not isinstance(call, dict) or call.get("type") not in _OF_FUNCTION:
        return AskedCall(index=index, name=None, arguments=None)
    return _function(index, call.get("function"))


def _function(index: int, function: Any) -> AskedCall:
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        return AskedCall(index=index, name=None, arguments=None)
    return AskedCall(index=index, name=name, arguments=arguments_of(function.get("arguments")))


def arguments_of(given: Any) -> Mapping[str, Any] | None:
    """Return the arguments of a call, none where a model leaves them out; None where they cannot be read."""
    if given is None or given == "":
        return {}
    if isinstance(given, dict):
        return given
    try:
        return parse_object(given.encode()) if isinstance(given, str) else None
    except (NotStrictJson, ValueError):  # ValueError: half of a surrogate pair
        return None


def _numbered(place: int, call: Any) -> Any:
    """Return a call of a stream with its place as its `index`: clients put together what has one number."""
    return {**call, "index": place} if isinstance(call, dict) and "index" in call else call


@dataclass(slots=True)
class HeldAnswer:
    """A plain answer, redacted, of which no call was decided yet. `told` is what was refused, once it was."""

    value: dict[str, Any]
    choices: list[tuple[dict[str, Any], dict[str, Any], ChoiceCalls]]
    told: tuple[RefusedCall, ...] = ()

    @classmethod
    def of(cls, value: dict[str, Any]) -> "HeldAnswer | None":
        """Return the answer `value` if a choice of it has calls. Raises CallsInvalid."""
        found = []
        for choice in value["choices"]:
            message = choice.get("message")
            if isinstance(message, dict) and (calls := ChoiceCalls.of(message)) is not None:
                found.append((choice, message, calls))
        return cls(value, found) if found else None

    @property
    def undecided(self) -> tuple[tuple[AskedCall, ...], ...]:
        return tuple(calls.asked for _, _, calls in self.choices)

    def decided(self, verdicts: Sequence[Sequence[CallVerdict]]) -> bytes | RefusedCall:
        """Return what may leave by `verdicts`, one list for each of `undecided`, or the call that ends it all."""
        for (choice, message, calls), given in zip(self.choices, verdicts, strict=True):
            settled = calls.settled(given)
            self.told += settled.told
            if settled.cut is not None:
                return settled.cut
            for name in CALLS & message.keys():
                del message[name]
            message.update(settled.left)
            _say(message, settled)
            choice["finish_reason"] = settled.reason(choice.get("finish_reason"))
        return canonical(self.value)


def _say(message: dict[str, Any], settled: Settled) -> None:
    content = message.get("content")
    if not settled.texts:
        return
    if isinstance(content, list):
        message["content"] = [*content, {"type": "text", "text": settled.text(after=False)}]
    else:
        message["content"] = (content or "") + settled.text(after=bool(content))


def without_calls_elsewhere(value: dict[str, Any]) -> dict[str, Any]:
    """Return an answer without members that a client could take for calls where no call is looked for."""
    choices = [
        {
            key: _kept_of_message(member) if key == "message" else _without_calls(member)
            for key, member in choice.items()
            if key not in CALLS
        }
        for choice in value["choices"]
    ]
    rest = {key: _without_calls(member) for key, member in value.items() if key not in CALLS and key != "choices"}
    return {**rest, "choices": choices}


def _kept_of_message(message: Any) -> Any:
    if not isinstance(message, dict):
        return _without_calls(message)
    return {key: member if key in CALLS else _without_calls(member) for key, member in message.items()}


def _without_calls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_calls(member) for key, member in value.items() if key not in CALLS}
    return [_without_calls(item) for item in value] if isinstance(value, list) else value
