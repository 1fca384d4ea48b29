# SPDX-License-Identifier: Apache-2.0
"""How `gatehouse part stop|start NAME` reaches the running supervisor: one JSON line each way over a Unix socket.

The socket lies in the home, whose mode 0700 decides who may use it.
"""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

from controlplane.local.home import Home
from controlplane.local.supervisor import PartFailed

# Stopping the proxy may take its whole drain; a caller waits longer than that.
_ANSWER_DEADLINE_S: Final = 60.0
_LONGEST_LINE: Final = 4096

Command = Callable[[str], Awaitable[None]]


class NotRunning(Exception):
    """No supervisor listens in this home."""


@asynccontextmanager
async def listen(home: Home, commands: Mapping[str, Command]) -> AsyncIterator[None]:
    """Serve `commands`, keyed by verb, each taking a part's name, while the context is open."""
    home.supervisor_socket.unlink(missing_ok=True)
    with _short_path(home.supervisor_socket) as path:
        server = await asyncio.start_unix_server(lambda reader, writer: _serve(reader, writer, commands), path)
    try:
        yield
    finally:
        server.close()
        home.supervisor_socket.unlink(missing_ok=True)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, commands: Mapping[str, Command]) -> None:
    try:
        answer = await _answer(await reader.readline(), commands)
        writer.write(json.dumps(answer).encode() + b"\n")
        await writer.drain()
    except (ConnectionError, ValueError):
        pass  # the caller left or sent no line of sane length: there is nobody to tell
    finally:
        writer.close()


async def _answer(line: bytes, commands: Mapping[str, Command]) -> dict[str, Any]:
    try:
        asked = json.loads(line)
        command, part = commands[asked["command"]], str(asked["part"])
    except (ValueError, KeyError, TypeError):
        return {"error": "not a command this supervisor knows"}
    try:
        await command(part)
    except (KeyError, PartFailed) as exc:
        return {"error": str(exc.args[0])}
    return {}


def ask(home: Home, command: str, part: str) -> None:
    """Have the supervisor of `home` do `command` to `part`.

    Raises NotRunning where none listens, PartFailed with the supervisor's words where it could not.
    """
    line = json.dumps({"command": command, "part": part}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection, _short_path(home.supervisor_socket) as path:
            connection.settimeout(_ANSWER_DEADLINE_S)
            connection.connect(path)
            connection.sendall(line)
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline(_LONGEST_LINE))
    except (FileNotFoundError, ConnectionError) as exc:
        raise NotRunning(f"nothing runs in {home.root}; start it with `gatehouse run`") from exc
    except TimeoutError as exc:
        raise PartFailed(f"no answer within {_ANSWER_DEADLINE_S:.0f} s") from exc
    if "error" in answer:
        raise PartFailed(answer["error"])


@contextmanager
def _short_path(path: Path) -> Iterator[str]:
    """Give a name for `path` that fits the 107 bytes a Unix socket's address has, however deep the home lies."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
