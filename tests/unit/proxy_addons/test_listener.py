# SPDX-License-Identifier: Apache-2.0
"""How a listener comes to a certificate. What clients see of it: tests/integration/test_data_port_tls.py."""

import asyncio
import socket

import pytest

from proxy_addons import listener as module
from proxy_addons.http1.bounds import Bounds
from proxy_addons.listener import Listener
from proxy_addons.settings import DataPortTls
from tests.authority import Authority
from tests.layer_rig import on_uvloop


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch):
    monkeypatch.setattr(module, "LOOK_EVERY_S", 0.01)


@pytest.fixture
def files(tmp_path):
    cert_file, key_file = Authority(tmp_path, "ca").issue("server")
    return DataPortTls(cert_file=cert_file, key_file=key_file)


def listening(files, told) -> Listener:
    sock = socket.create_server(("127.0.0.1", 0))
    return Listener(
        sock, asyncio.Protocol, bounds=Bounds(), tls=files, report=lambda expires_at, problem: told.append(problem)
    )


async def until(holds) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.01)


@on_uvloop
async def test_it_opens_only_when_its_files_are_usable(files):
    told, good = [], files.key_file.read_bytes()
    files.key_file.write_bytes(b"")
    it = listening(files, told)
    opening = asyncio.create_task(it.open())
    await until(lambda: told)
    assert told[0]
    assert not opening.done()
    files.key_file.write_bytes(good)
    await asyncio.wait_for(opening, 5)
    assert told[-1] == ""
    it.close()


@on_uvloop
async def test_a_problem_is_told_once_and_so_is_its_end(files):
    told, good = [], files.key_file.read_bytes()
    it = listening(files, told)
    await it.open()
    files.key_file.write_bytes(b"")
    await until(lambda: len(told) == 2)
    await asyncio.sleep(0.1)
    files.key_file.write_bytes(good)
    await until(lambda: len(told) == 3)
    await asyncio.sleep(0.1)
    assert [bool(problem) for problem in told] == [False, True, False]
    it.close()


@on_uvloop
async def test_what_keeps_it_from_listening_anew_is_told_and_tried_again(files, monkeypatch):
    told = []
    it = listening(files, told)
    await it.open()
    serve = it._serve

    async def full(identity):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(it, "_serve", full)
    files.cert_file.write_bytes(files.cert_file.read_bytes() + b"\n")
    await until(lambda: told[-1])
    assert "Too many open files" in told[-1]
    monkeypatch.setattr(it, "_serve", serve)
    await until(lambda: not told[-1])
    it.close()


@on_uvloop
async def test_plain_it_serves_at_once_and_follows_nothing():
    it = listening(None, told := [])
    await it.open()
    assert it._following is None
    it.close()
    assert told == []
