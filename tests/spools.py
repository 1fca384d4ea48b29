# SPDX-License-Identifier: Apache-2.0
"""Spools as tests make and read them."""

import os
import zlib
from collections.abc import Iterable
from pathlib import Path

from proxy_addons.clients.segments import HEADER, MAGIC, Broken, Frames, frame, segment_path, segments, whole_bytes


def old_frame(line: bytes) -> bytes:
    """Return `line` in a frame as versions before CRC-32C wrote it."""
    return HEADER.pack(len(line), zlib.crc32(line)) + line


def write_segment(directory: Path, number: int, lines: Iterable[bytes], rest: bytes = b"") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = segment_path(directory, number)
    path.write_bytes(MAGIC + b"".join(map(frame, lines)) + rest)
    return path


def read_frames(path: Path, **options) -> tuple[list[tuple[bytes, int]], Broken | None]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        frames = Frames(descriptor, **options)
        return list(frames), frames.broken
    finally:
        os.close(descriptor)


def whole_bytes_of(path: Path) -> int:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return whole_bytes(descriptor)
    finally:
        os.close(descriptor)


def lines(directory: Path) -> list[bytes]:
    """Return every whole line of the spool in `directory`."""
    return [line for segment in segments(directory) for line, _ in read_frames(segment.path)[0]]
