# SPDX-License-Identifier: Apache-2.0
"""One request and its answer on their way through the proxy: what layer and addons know of it, in one typed place.

Rules: the HTTP/1.1 layer creates the Exchange before the first hook and puts it at `flow.metadata[EXCHANGE]`. The layer
writes only the fields of its own section; each addon writes only what its section says. `policy` is set before anything
but the credentials is looked at and stays for the rest of the exchange, so that one revision decides all of it.

The hooks of one exchange, in order, each at most once; the layer guarantees it:

1. `requestheaders`: always, also for a head that could not be read (`fault` is set and the request is a placeholder).
2. `request`: unless 1 set a response. The body is complete, or `fault` says why not.
3. `responseheaders`: the upstream's head arrived. An addon may put a `StreamEnforcer` at `flow.response.stream`.
4. `error`: the upstream failed or the client left (`fault` is set). An addon may set `flow.response` if no byte of an
   answer was sent.
5. `response`: always last, also for a local refusal; unless the client left before. The answer's bytes (of a stream:
   its last bytes) leave only after this hook has returned.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Protocol

from policies.contracts.codec import JSON
from policies.contracts.decision import Decision, Reason, Verdict
from policies.contracts.request import EvaluationRequest, Resource, Subject
from policies.contracts.scope import UNSCOPED, Scope
from policies.contracts.snapshot import Encoding, Route
from policies.contracts.tools import RefusedCall
from policies.evaluation.screen_report import ScreenReport
from policies.evaluation.screening import Screened
from policies.evaluation.system_prompts import SystemPrompt
from policies.redaction.findings import Tally
from proxy_addons.core.coverage import Coverage
from proxy_addons.core.restoring import Restoring

if TYPE_CHECKING:
    from proxy_addons.core.active import ActivePolicy
    from proxy_addons.core.beside import Beside
    from proxy_addons.core.kept_content import KeptContent
    from proxy_addons.core.trace_context import OpenSpan

EXCHANGE: Final = "gatehouse.exchange"


class CredentialKind(StrEnum):
    API_KEY = "api-key"
    TOKEN = "token"  # noqa: S105  # a kind of credential, and no secret
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """What identified the request: its kind and id (public), whose it is, and what it may be used for at most.

    `key_id` is the API key's id; of a token its issuer's id in policy with a digest of the `kid`; of a certificate its
    fingerprint. None of them can be shown instead of the credential.

    By `token_id` (issuer and `jti`), `digests` and `issued_at` a token or certificate can be revoked; what it does not
    say of itself is None.
    """

    key_id: str
    subject: Subject
    kind: CredentialKind = CredentialKind.API_KEY
    scope: Scope = UNSCOPED
    token_id: tuple[str, str] | None = None
    digests: tuple[str, ...] = ()
    issued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedFinding:
    """`count` findings of one detector, by the rule that looked for them. Never the text."""

    detector: str
    policy: str
    rule: str
    action: str
    count: int


class Posted(Protocol):
    """A record that is on its way to the disk."""

    def add_done_callback(self, fn: Callable[[Any], None], /) -> None:
        """Have `fn` called once it is durable, or counted as lost."""


@dataclass(slots=True, kw_only=True)
class Exchange:
    # Written by the layer.
    request_id: str
    received_at: datetime
    started_ns: int  # time.monotonic_ns() at the first byte of the head
    fault: str | None = None  # a reason code: what the layer could not do
    peer_certificate: bytes | None = None  # DER; the TLS handshake has verified it against the CA for clients
    bytes_in: int = 0  # body bytes received from the client
    bytes_out: int = 0  # body bytes sent to the client
    upstream_started_ns: int | None = None
    upstream_first_byte_ns: int | None = None
    model_digest: str | None = None  # the weights that answer, as the upstream says

    # Written by addons before the body is read; the layer reads at most this many bytes and sets `body-too-large`.
    max_body_bytes: int = 0

    # Written by addons, in this order.
    trace_id: str | None = None
    client_request_id: str | None = None  # an attribute and no more: `request_id` is what names the request
    policy: "ActivePolicy | None" = None
    credential: Credential | None = None
    route: Route | None = None
    encoding: Encoding | None = None  # of the request's body
    resource: Resource | None = None
    evaluation: EvaluationRequest | None = None
    decision: Decision | None = None
    decide_us: int = 0
    upstream: str | None = None  # the name of the upstream, None of the default one
    system_prompt: SystemPrompt | None = None  # the approved one that the request was allowed with
    refusal: Reason | None = None  # why the client is told no, or the stream was cut
    verdict: Verdict | None = None
    screened: tuple[Screened, ...] = ()  # what screening found in the request
    screen: ScreenReport | None = None  # what came of asking the prompt screen about it
    findings: tuple[AppliedFinding, ...] = ()
    tally: Tally | None = None  # what rules found in the request, and then in the answer
    restoring: Restoring | None = None  # how the pseudonyms of the request are put back into the answer
    refused_calls: tuple[RefusedCall, ...] = ()  # tool calls that did not leave, and those that policy only noted
    coverage: Coverage = field(default_factory=Coverage)
    request_coverage: Coverage = field(default_factory=Coverage)
    uncovered: tuple[tuple[str, str], ...] = ()  # paths of the request that nobody examined, each with its modality
    stripped_fields: int = 0  # unknown members removed from the request
    content: "KeptContent | None" = None  # what policy wants kept of prompt and answer
    inputs_redacted: int = 0  # findings replaced in what was to be embedded: the client is told so in a header
    status: int | None = None  # what the client is told
    admission_recorded: bool = False
    terminal_recorded: bool = False
    beside: "Beside | None" = None  # the candidate that judges the request beside the policy that decides it
    posted: "Posted | None" = None  # the last record, where nobody waits for it: on its way to the disk

    # Written for the metrics: monotonic times, and what waiting for records took.
    examined_ns: int = 0  # identity, path, route and declared size are found good
    admitted_ns: int = 0  # a stream's admission record is durable
    record_ns: int = 0
    counted: bool = False

    # Written for the traces, where they are on and this exchange is sampled.
    span: "OpenSpan | None" = None
    method: str = ""
    trace_state: bytes = b""  # the client's, of good syntax: it is passed on, and exported nowhere

    def input_for_replay(self) -> dict[str, JSON]:
        """Return the attributes the decision was made from, for the erasable payload of the record."""
        if self.evaluation is None:
            return {}
        asked = self.evaluation
        return {
            "action": asked.action,
            "resource": {"type": asked.resource.type, "id": asked.resource.id},
            "request": asked.facts.to_json(),
            "time": asked.at.isoformat(),
        }
