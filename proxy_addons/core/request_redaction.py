# SPDX-License-Identifier: Apache-2.0
"""What becomes of a request that policy allowed: its texts redacted, or refused, before the upstream gets any of it.

Rules:

* The decision was made on the request as it came; what is forwarded is the examined value, redacted and written again.
* An input to embed has no reader who would see that it was changed. So it is changed only where policy says `redact`
  and the answer says so; else the request is refused, or goes as it came with the finding noted.
* Where no rule looks at requests nothing is done, and the body leaves as it was read.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from policies.contracts.snapshot import Dialect, EmbeddingInputs
from policies.redaction.engine import ActiveRules, AnswerBlocked
from policies.redaction.findings import Tally
from policies.redaction.pseudonyms import Pseudonyms
from proxy_addons.core.coverage import NO_RULE, Coverage, covering
from proxy_addons.core.enforced import changes
from proxy_addons.core.json_escapes import resolved
from proxy_addons.core.multipart_form import write_form
from proxy_addons.core.openai_request import ReadForm, ReadRequest
from proxy_addons.core.request_shapes import SHAPES, Shape
from proxy_addons.core.request_walk import RequestWalk
from proxy_addons.core.strict_json import canonical

BLOCKED: Final = "request-blocked"
_WITHIN: Final = "request"
_ESCAPE: Final = "\\u"
UNREAD: Final = Coverage(not_scanned=((_WITHIN, NO_RULE),))


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactedRequest:
    """What may go to the upstream. Where a rule blocks the request, `blocked` says which, and nothing may.

    `told` counts what was redacted in what is to be embedded: the client is told.
    """

    read: ReadRequest
    coverage: Coverage = UNREAD
    told: int = 0
    blocked: AnswerBlocked | None = None


def redact_request(read: ReadRequest, *, dialect: Dialect, rules: ActiveRules, tally: Tally) -> RedactedRequest:
    """Return what may go to the upstream of a request that policy allowed. Its findings are added to `tally`."""
    if rules.idle:
        return RedactedRequest(read=read)
    tally.pseudonyms = pseudonyms = Pseudonyms(lambda: _spellings(read))
    walk = RequestWalk(rules, tally)
    left, blocked = read, None
    try:
        left = _rewritten(read, walk, SHAPES[dialect])
    except AnswerBlocked as exc:
        blocked = exc
    finally:
        pseudonyms.close()
    coverage = covering(rules, walk.scanned, walk.left | tally.unscanned)
    done = RedactedRequest(read=left, coverage=coverage, blocked=blocked)
    return done if dialect is not Dialect.EMBEDDINGS else _embedded(read, done, rules, tally)


def _embedded(read: ReadRequest, done: RedactedRequest, rules: ActiveRules, tally: Tally) -> RedactedRequest:
    """Return what becomes of a request for vectors that would become `done` if it were one for text."""
    if done.blocked is not None or done.read is read:
        return done
    match rules.terms.embeddings:
        case EmbeddingInputs.REDACT:
            return replace(done, told=sum(found.count for found in tally.findings if changes(found.action)))
        case EmbeddingInputs.ALLOW:
            tally.annotate()
            return replace(done, read=read)
        case EmbeddingInputs.BLOCK:
            return replace(done, read=read, blocked=_blocking(tally))


def _blocking(tally: Tally) -> AnswerBlocked:
    """Return the refusal by the first rule that would have changed an input."""
    first = next(found for found in tally.findings if changes(found.action))
    return AnswerBlocked(policy=first.policy, rule=first.rule, detector=first.detector)


def _spellings(read: ReadRequest) -> Iterator[str]:
    """Give the texts of a request, and what the escapes in them stand for: JSON within a string may spell a bracket."""
    texts = [read.body.decode("utf-8")] if read.form is None else [part.text for part in read.form.parts if part.text]
    for text in texts:
        yield text
        if _ESCAPE in text:
            yield resolved(resolved(text))


def _rewritten(read: ReadRequest, walk: RequestWalk, shape: Shape) -> ReadRequest:
    """Return the request as the walk leaves it, written again; the same object where nothing changed."""
    if read.form is None:
        value = walk.value(read.value, shape, _WITHIN)
        return read if value == read.value else read._replace(value=value, body=canonical(value))
    form = read.form
    parts = tuple(
        part if part.text is None else replace(part, text=_text_of(part.name, part.text, walk, shape))
        for part in form.parts
    )
    if parts == form.parts:
        return read
    media_type, body = write_form(parts, file_name=form.file_name, file_type=form.file_type)
    return read._replace(form=ReadForm(parts, form.file_name, form.file_type), media_type=media_type, body=body)


def _text_of(name: str, text: str, walk: RequestWalk, shape: Shape) -> str:
    """Return a field of a form redacted; its name is a word of the protocol, or one that policy lists."""
    members: dict[str, Any] = walk.value({name: text}, shape, _WITHIN)
    return str(next(iter(members.values())))
