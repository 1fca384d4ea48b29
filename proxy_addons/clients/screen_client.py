# SPDX-License-Identifier: Apache-2.0
"""Asks the prompt screen of the node about the texts of requests.

Rules: a question has a deadline, over all that it takes; what has not come by then does not come. So many questions may
be out and no more: whoever would wait for a busy screen is told at once that there is no answer. After several
failures in a row nobody is asked for a while. No redirect is followed, no proxy of the environment used, no cookie
kept; an answer has a bound on its size, and is read by `proxy_addons.core.screen_answer`, which takes nothing else.
Whatever goes wrong is a ScreenAbsent with a word for it: what follows is policy's to say.
"""

import asyncio
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import structlog

from policies.contracts.asked_screen import ScreenAbsent, ScreenQuestion, ScreenReply
from proxy_addons.core.breaker import Breaker
from proxy_addons.core.judged_texts import no_screen
from proxy_addons.core.screen_answer import AnswerInvalid, question_bytes, read_answer
from proxy_addons.core.series import Histogram, Series

_log: Final = structlog.get_logger()

PATH: Final = "/v1/moderations"
# Questions of one worker. A screen has a batch or two in work; more than this would wait there for longer than here.
MOST_QUESTIONS: Final = 64
# 2,048 results with eight windows each, and OpenAI's categories beside.
_LARGEST_ANSWER: Final = 8 * 1024 * 1024
# Less than servers keep an idle connection: one that is closed under a question costs that question a second try.
_KEEP_IDLE_S: Final = 3.0
# What is left to the way there and back of the time that a request waits. The screen is told the rest, so that it
# answers by what it has seen rather than not at all.
_WAY: Final = 0.1
_OK: Final = 200
# About what was asked, and not about how the screen stands: nobody may switch it off for others by what he writes.
_OF_QUESTION: Final = {400: "refused", 413: "refused", 429: "busy"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ScreenPlace:
    """Where the screen is: its origin, whom to trust there and what to show, or a socket that it listens on."""

    origin: str
    tls: ssl.SSLContext | None = None
    api_key: str = ""
    socket: Path | None = None


class NoScreen:
    """What a node without a prompt screen has in place of one."""

    def __init__(self) -> None:
        self._asked = 0

    async def ask(self, questions: Sequence[ScreenQuestion], *, deadline_ms: int) -> Sequence[ScreenReply]:
        self._asked += len(questions)
        return await no_screen(questions, deadline_ms=deadline_ms)

    def read(self) -> list[Series]:
        return [("gatehouse_screen_questions_total", ("not-set-up",), self._asked)] if self._asked else []

    async def close(self) -> None:
        return


class ScreenClient:
    """Asks the screen at `place`. Made and used on one event loop."""

    def __init__(self, place: ScreenPlace, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._url = f"{place.origin}{PATH}"
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        self._session = aiohttp.ClientSession(
            connector=_connector(place),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None),  # each question has its own
            headers=headers | ({"Authorization": f"Bearer {place.api_key}"} if place.api_key else {}),
            auto_decompress=False,
        )
        self._breaker = Breaker(monotonic_s)
        self._out = 0
        self._ended: dict[str, int] = {}
        self._seconds = Histogram()

    async def ask(self, questions: Sequence[ScreenQuestion], *, deadline_ms: int) -> Sequence[ScreenReply]:
        """Return the answer to each question, or why there is none. They wait side by side."""
        if len(questions) == 1:
            return [await self._one(questions[0], deadline_ms)]
        return await asyncio.gather(*(self._one(question, deadline_ms) for question in questions))

    async def _one(self, question: ScreenQuestion, deadline_ms: int) -> ScreenReply:
        began_ns = time.perf_counter_ns()
        if self._out >= MOST_QUESTIONS:
            reply: ScreenReply = ScreenAbsent("busy")
        elif not self._breaker.permits():
            reply = ScreenAbsent("broken")
        else:
            self._out += 1
            try:
                reply = await self._asked(question, deadline_ms)
            finally:
                self._out -= 1
            self._seconds.observe(time.perf_counter_ns() - began_ns)
        outcome = reply.why if isinstance(reply, ScreenAbsent) else "answered" if reply.complete else "incomplete"
        self._ended[outcome] = self._ended.get(outcome, 0) + 1
        return reply

    def read(self) -> list[Series]:
        """Return what is counted."""
        counts: list[Series] = [
            ("gatehouse_screen_questions_total", (outcome,), number) for outcome, number in self._ended.items()
        ]
        return [*counts, ("gatehouse_screen_seconds", (), self._seconds.read())]

    async def close(self) -> None:
        await self._session.close()

    async def _asked(self, question: ScreenQuestion, deadline_ms: int) -> ScreenReply:
        try:
            body = question_bytes(question, deadline_ms=max(1, round(deadline_ms * (1 - _WAY))))
            async with asyncio.timeout(deadline_ms / 1000):
                reply = await self._sent(body, question)
        except TimeoutError:
            reply = self._failed("late", "TimeoutError")
        except AnswerInvalid as exc:
            reply = self._failed("invalid", str(exc))
        except (aiohttp.ClientError, OSError, ValueError) as exc:
            reply = self._failed("unreachable", type(exc).__name__)
        except BaseException:
            self._breaker.left()
            raise
        return reply

    async def _sent(self, body: bytes, question: ScreenQuestion) -> ScreenReply:
        try:
            status, raw = await self._posted(body)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError):
            # Most likely an idle connection that the screen closed meanwhile. To ask twice changes nothing there.
            status, raw = await self._posted(body)
        if status == _OK:
            answer = read_answer(raw, question)
            self._breaker.succeeded()
            return answer
        if status in _OF_QUESTION:
            self._breaker.left()
            return ScreenAbsent(_OF_QUESTION[status])
        return self._failed("refused", f"status-{status}")

    async def _posted(self, body: bytes) -> tuple[int, bytes]:
        async with self._session.post(self._url, data=body, allow_redirects=False) as answer:
            content = bytearray()
            async for piece in answer.content.iter_any():
                content += piece
                if len(content) > _LARGEST_ANSWER:
                    raise AnswerInvalid("too large")
            return answer.status, bytes(content)

    def _failed(self, why: str, problem: str) -> ScreenAbsent:
        self._breaker.failed()
        _log.warning("screen_not_answering", why=why, problem=problem)
        return ScreenAbsent(why)


def _connector(place: ScreenPlace) -> aiohttp.BaseConnector:
    """Return what opens connections to the screen: the node's own, apart from those to upstreams."""
    if place.socket is not None:
        return aiohttp.UnixConnector(str(place.socket), limit=MOST_QUESTIONS, keepalive_timeout=_KEEP_IDLE_S)
    tls = place.tls if place.tls is not None else True
    return aiohttp.TCPConnector(ssl=tls, limit=MOST_QUESTIONS, keepalive_timeout=_KEEP_IDLE_S)
