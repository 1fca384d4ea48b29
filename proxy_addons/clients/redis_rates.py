# SPDX-License-Identifier: Apache-2.0
"""Rates counted across nodes, in Redis: the same token bucket as `clients/rates.py`, in one script on the server."""

import asyncio
from typing import Final

import redis.asyncio
from redis.exceptions import RedisError

from policies.contracts.errors import EvaluationFailed
from policies.contracts.snapshot import Rate

# A request waits for this; a Redis that needs longer than a decision may take is as good as away.
_DEADLINE_S: Final = 0.25
_MICROSECONDS: Final = 1_000_000

# Time is the server's, so that clocks of nodes do not matter. Numbers that leave Lua lose their fraction, hence µs.
_TAKE: Final = """
local requests, period_us = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'counted_at')
local tokens = tonumber(bucket[1]) or requests
local counted_at = tonumber(bucket[2]) or now
tokens = math.min(requests, tokens + math.max(0, now - counted_at) * requests / period_us)
local wait = 0
if tokens >= 1 - 1e-9 then
  tokens = math.max(tokens - 1, 0)
else
  wait = math.max(1, math.ceil((1 - tokens) * period_us / requests))
end
redis.call('HSET', KEYS[1], 'tokens', string.format('%.17g', tokens), 'counted_at', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(period_us / 1000) + 1000)
return wait
"""


class RedisRates:
    """The RateCounter of all nodes that share one Redis. Where it is away or late, requests are refused."""

    def __init__(self, url: str, *, scope: str) -> None:
        """`scope` (tenant and environment) is part of every key."""
        self._scope = scope
        self._client = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=_DEADLINE_S,
            socket_connect_timeout=_DEADLINE_S,
            protocol=2,
        )
        self._script = self._client.register_script(_TAKE)

    async def take(self, policy: str, subject: str, rate: Rate) -> float:
        key = f"gatehouse.rates/1\0{self._scope}\0{policy}\0{subject}"
        try:
            async with asyncio.timeout(_DEADLINE_S):
                wait_us = await self._script(keys=[key], args=[rate.requests, rate.per_s * _MICROSECONDS])
        except (RedisError, OSError, TimeoutError) as exc:
            raise EvaluationFailed("limits", f"Redis did not count ({type(exc).__name__})") from exc
        if not isinstance(wait_us, int):
            raise EvaluationFailed("limits", "Redis gave something else than a number")
        return wait_us / _MICROSECONDS

    async def close(self) -> None:
        await self._client.aclose()
