# SPDX-License-Identifier: Apache-2.0
"""CRC-32C (Castagnoli), by the processor's own instruction: 0.2 µs for a record, where zlib's CRC-32 takes 0.5 µs.

Warning: without its compiled part `google_crc32c` takes a thousand times as long, in Python, and says so by a warning
that nobody reads. A proxy that records every answer at that pace is no proxy, so the import fails instead.
"""

import google_crc32c

if google_crc32c.implementation != "c":
    raise ImportError(
        "google-crc32c has no compiled part on this machine and would compute the checksum of each record in Python:"
        " install its wheel for this platform, or build it with the crc32c library"
    )


def crc32c(header: bytes, line: bytes) -> int:
    """Return the CRC-32C of `header` and `line`, one after the other."""
    return int(google_crc32c.extend(google_crc32c.value(header), line))
