# SPDX-License-Identifier: Apache-2.0
"""The public reason codes: why a request was refused or an answer changed.

A code is part of the API: kebab-case, listed here and nowhere else, never reused for another meaning. Guards declare
codes of their own in their documents (`spec.reasons`); those must not be one of these. The table in
`docs/reference/reasons.md` is compared with this list by a test.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class ReasonSpec:
    """What a client is told. `error_type` is OpenAI's `error.type`; `message` never depends on content."""

    code: str
    status: int
    error_type: str
    message: str


_BAD = "invalid_request_error"
_AUTH = "authentication_error"
_POLICY = "permission_error"
_RATE = "rate_limit_error"
_SERVER = "server_error"

# In the order in which the proxy refuses: framing, identity, host, path, route, scope, size, encoding, media type,
# body, policy, limits.
_SPECS: Final = (
    ReasonSpec("malformed-request", 400, _BAD, "The request is not well-formed HTTP/1.1."),
    ReasonSpec("ambiguous-framing", 400, _BAD, "The length of the request body is stated ambiguously."),
    ReasonSpec("protocol-not-permitted", 400, _BAD, "Only plain HTTP/1.1 requests in origin form are accepted here."),
    ReasonSpec("headers-too-large", 431, _BAD, "The request headers are too large or too many."),
    ReasonSpec("expectation-failed", 417, _BAD, "Only 'Expect: 100-continue' is understood here."),
    ReasonSpec("request-timeout", 408, _BAD, "The request did not arrive in time."),
    ReasonSpec("credentials-missing", 401, _AUTH, "No credential was given. Send it as 'Authorization: Bearer …'."),
    ReasonSpec("credentials-ambiguous", 401, _AUTH, "More than one credential was given. Send exactly one."),
    ReasonSpec("credentials-invalid", 401, _AUTH, "The credential is not valid."),
    ReasonSpec("credentials-expired", 401, _AUTH, "The credential has expired."),
    ReasonSpec("credentials-revoked", 401, _AUTH, "The credential has been revoked."),
    ReasonSpec("host-not-permitted", 421, _BAD, "This gateway is not reached by that host name."),
    ReasonSpec("issuer-unavailable", 503, _SERVER, "The keys of the token's issuer are not to be had."),
    ReasonSpec("path-not-canonical", 400, _BAD, "The request path is not in canonical form."),
    ReasonSpec("route-not-listed", 404, _BAD, "No policy lists this method and path."),
    ReasonSpec("credential-scope-exceeded", 403, _POLICY, "The credential is not for this operation or model."),
    ReasonSpec("body-too-large", 413, _BAD, "The request body is larger than policy allows."),
    ReasonSpec("media-type-not-permitted", 415, _BAD, "The route does not take this Content-Type."),
    ReasonSpec("encoding-not-permitted", 415, _BAD, "This route does not decode bodies of this Content-Encoding."),
    ReasonSpec("body-not-decodable", 400, _BAD, "The request body is not what its Content-Encoding says."),
    ReasonSpec("body-not-json", 400, _BAD, "The request body is not one strict JSON object."),
    ReasonSpec("body-not-form", 400, _BAD, "The request body is not one strict multipart form."),
    ReasonSpec("body-not-permitted", 400, _BAD, "This route takes no request body."),
    ReasonSpec("field-not-permitted", 400, _BAD, "The request body has a field that policy does not permit."),
    ReasonSpec("field-invalid", 400, _BAD, "A field of the request body has a value that policy does not permit."),
    ReasonSpec("modality-not-permitted", 400, _BAD, "The request has content that nobody can examine for policy."),
    ReasonSpec("remote-url-not-permitted", 400, _BAD, "Content must be in the request itself, not at a URL."),
    ReasonSpec("no-applicable-policy", 403, _POLICY, "No policy grants this request."),
    ReasonSpec("access-denied", 403, _POLICY, "A policy denies this request."),
    ReasonSpec("system-prompt-not-approved", 403, _POLICY, "The system prompt is not one that policy approves here."),
    ReasonSpec("prompt-screened", 403, _POLICY, "Policy does not permit what this request says."),
    ReasonSpec("prompt-injection", 403, _POLICY, "Policy does not permit what this request says."),
    ReasonSpec("screen-incomplete", 403, _POLICY, "Not all of this request could be screened, as policy wants it."),
    ReasonSpec("screen-unavailable", 503, _SERVER, "The request could not be screened, as policy wants it."),
    ReasonSpec("request-blocked", 403, _POLICY, "Policy does not permit this content in a request."),
    ReasonSpec("rate-limited", 429, _RATE, "Too many requests. Retry later."),
    ReasonSpec("evaluation-failed", 503, _SERVER, "The request could not be decided and was refused."),
    ReasonSpec("policy-unavailable", 503, _SERVER, "No usable policy is active. The request was refused."),
    ReasonSpec("record-unavailable", 503, _SERVER, "The decision could not be recorded. The request was refused."),
    ReasonSpec("draining", 503, _SERVER, "This worker is shutting down. Retry the request."),
    ReasonSpec("overloaded", 503, _SERVER, "This worker has all the requests it can take. Retry after a second."),
    ReasonSpec("upstream-unavailable", 502, _SERVER, "The inference server could not be reached."),
    ReasonSpec("upstream-invalid", 502, _SERVER, "The inference server gave an answer that could not be examined."),
    ReasonSpec("upstream-error", 502, _SERVER, "The inference server reported an error."),
    ReasonSpec("upstream-refused", 400, _BAD, "The inference server refused the request."),
    ReasonSpec("upstream-timeout", 504, _SERVER, "The inference server did not answer in time."),
    ReasonSpec("answer-blocked", 403, _POLICY, "Policy does not permit this answer."),
    ReasonSpec("call-not-offered", 403, _POLICY, "The answer calls a tool that the request did not offer."),
    ReasonSpec("call-not-permitted", 403, _POLICY, "Policy does not permit a tool call of this answer."),
    ReasonSpec("call-arguments-not-permitted", 403, _POLICY, "Policy does not permit the arguments of a tool call."),
    # Codes below are found only in records: nobody is left to be told.
    ReasonSpec("client-disconnected", 499, _BAD, "The client left before the answer was complete."),
    ReasonSpec("worker-lost", 499, _SERVER, "The worker died before the answer was complete."),
)

REASONS: Final = {spec.code: spec for spec in _SPECS}
