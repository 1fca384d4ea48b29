# SPDX-License-Identifier: Apache-2.0
"""Latencies as counts in buckets, of which any two can be added up, and quantiles of them.

Below 8 µs each microsecond has a bucket; above, each octave has eight. A quantile is told as the middle of its bucket,
so that it is at most ERROR beside a value that was measured.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Final

ERROR: Final = 0.0625
_EIGHTHS: Final = 3
_PAIR: Final = struct.Struct("<HI")
_MOST: Final = 2**32 - 1


def bucket_of(latency_us: int) -> int:
    octave = latency_us.bit_length() - 1 - _EIGHTHS
    if octave < 0:
        return latency_us
    return (octave << _EIGHTHS) + (latency_us >> octave)


def middle_of(bucket: int) -> float:
    """Return the microseconds in the middle of a bucket."""
    if bucket < 1 << _EIGHTHS:
        return bucket
    octave = (bucket >> _EIGHTHS) - 1
    first = (bucket - (octave << _EIGHTHS)) << octave
    return first + ((1 << octave) - 1) / 2


def quantiles(counts: Mapping[int, int], shares: Sequence[float]) -> list[float] | None:
    """Return the microseconds that each of `shares`, ascending, of all latencies do not exceed; None of nothing."""
    if not counts:
        return None
    total = sum(counts.values())
    found: list[float] = []
    seen = 0
    for bucket in sorted(counts):
        seen += counts[bucket]
        while len(found) < len(shares) and seen >= shares[len(found)] * total:
            found.append(middle_of(bucket))
    return found


def packed(counts: Mapping[int, int]) -> bytes:
    return b"".join(_PAIR.pack(bucket, min(count, _MOST)) for bucket, count in sorted(counts.items()))


def add_packed(counts: dict[int, int], content: bytes) -> None:
    """Add what `packed` made to `counts`."""
    for bucket, count in _PAIR.iter_unpack(content):
        counts[bucket] = counts.get(bucket, 0) + count
