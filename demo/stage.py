# SPDX-License-Identifier: Apache-2.0
"""What the steps of the tour work with: OpenAI clients for alice and bob, API clients for each role, a request log."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

import openai

from controlplane.client import ApiClient
from controlplane.local.home import Home


class StepDiffers(Exception):
    """A step did something else than it should have. The text says what was wanted and what came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request the tour sent, and what its record must say."""

    request_id: str
    status: int
    code: str | None


@dataclass(slots=True, kw_only=True)
class Stage:
    """`sent` collects every request that reached the proxy, so that the auditor's view can be compared with it."""

    home: Home
    proxy_url: str
    keys: dict[str, str]
    roles: dict[str, ApiClient]
    limits: dict[str, Any]
    embedded_rego: bool
    began_at: datetime
    sent: list[Sent] = field(default_factory=list)

    @classmethod
    def of(cls, home: Home, *, embedded_rego: bool) -> Self:
        held = home.read_credentials()
        return cls(
            home=home,
            proxy_url=held["proxy_url"],
            keys=held["keys"],
            roles={role: ApiClient(held["api_url"], token) for role, token in held["tokens"].items()},
            limits=held["limits"],
            embedded_rego=embedded_rego,
            began_at=datetime.now(UTC),
        )

    def close(self) -> None:
        """Give back the connections of the roles. The stage MUST NOT be used afterwards."""
        for client in self.roles.values():
            client.close()

    def client(self, name: str) -> openai.OpenAI:
        """Return an OpenAI client with the key of `name`, or with a key that nobody has."""
        key = self.keys.get(name, "gh_01JDNOBODYKNOWSTHISKEYATALL_" + "x" * 43)
        return openai.OpenAI(base_url=f"{self.proxy_url}/v1", api_key=key, max_retries=0)

    def chat(self, name: str | None, text: str, **options: Any) -> str:
        """Have `name` say `text` to the parrot, without a key for None, and return the answer."""
        body = {"model": "parrot", "messages": [{"role": "user", "content": text}], "max_tokens": 400, **options}
        headers = {"Authorization": openai.Omit()} if name is None else None
        create = self.client(name or "").chat.completions.with_raw_response.create
        raw = create(**body, extra_headers=headers)
        answer = raw.parse()
        if body.get("stream"):
            content = "".join(
                chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices and chunk.choices[0].delta
            )
        else:
            content = answer.choices[0].message.content or ""
        self.sent.append(Sent(request_id=raw.headers["x-request-id"], status=raw.status_code, code=None))
        return content

    def respond(self, name: str, text: str, *, stream: bool) -> str:
        """Have `name` say `text` to the parrot by the responses API, and return the answer."""
        create = self.client(name).responses.with_raw_response.create
        raw = create(model="parrot", input=text, max_output_tokens=400, stream=stream)
        answer = raw.parse()
        if stream:
            said = "".join(event.delta for event in answer if event.type == "response.output_text.delta")
        else:
            said = answer.output_text
        self.sent.append(Sent(request_id=raw.headers["x-request-id"], status=raw.status_code, code=None))
        return said

    def refused(self, call: Callable[[], object], *, status: int, code: str) -> str:
        """Do `call`, which must be refused with `status` and `code`. Returns both as a line."""
        try:
            call()
        except openai.APIStatusError as exc:
            got = (exc.status_code, exc.code)
            if got != (status, code):
                raise StepDiffers(f"wanted {status} {code}, got {got[0]} {got[1]}") from exc
            self.sent.append(Sent(request_id=exc.response.headers["x-request-id"], status=status, code=code))
            return f"{status} {code}"
        except openai.APIConnectionError as exc:
            raise StepDiffers(f"wanted {status} {code}, got no answer") from exc
        raise StepDiffers(f"wanted {status} {code}, but the request was answered")

    def until(self, what: str, condition: Callable[[], bool], *, deadline_s: float = 10.0) -> float:
        """Return the seconds until `condition` held. Raises StepDiffers at the deadline."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > deadline_s:
                raise StepDiffers(f"{what} did not happen within {deadline_s:.0f} s")
            time.sleep(0.05)
        return time.monotonic() - began

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield the decisions since the tour began, as the auditor sees them."""
        return self.roles["auditor"].every("/v1/decisions", {"from": self.began_at.isoformat(), "limit": 500})


def expect(what: str, *, want: object, got: object) -> None:
    if want != got:
        raise StepDiffers(f"{what}: wanted {want!r}, got {got!r}")
