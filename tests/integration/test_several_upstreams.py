# SPDX-License-Identifier: Apache-2.0
"""Two upstreams behind one worker: each gets its own requests, with its own token, on its own connections."""

import asyncio

from tests.layer_rig import (
    ANSWER,
    AllowAll,
    Upstream,
    error_code,
    exchange_of,
    gateway,
    on_uvloop,
    request,
    upstream_settings,
)


class ToNamed:
    """Sends a request to the upstream that its path ends with."""

    def request(self, flow):
        name = flow.request.path.rsplit("/", 1)[-1]
        exchange_of(flow).upstream = None if name == "default" else name


@on_uvloop
async def test_a_request_goes_to_its_upstream_with_that_ones_token_alone(tmp_path):
    other = Upstream()

    async def accept(reader, writer):
        other.connections += 1
        try:
            while True:
                await other.read_request(reader)
                writer.write(ANSWER)
        except (OSError, EOFError):
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    for name in ("gpu", "usual"):
        (tmp_path / name).write_text(f"token-of-{name}")
    named = {"gpu": upstream_settings(f"http://127.0.0.1:{port}", api_key_file=tmp_path / "gpu")}
    usual = upstream_settings("http://127.0.0.1:1", api_key_file=tmp_path / "usual")
    async with gateway([AllowAll(), ToNamed()], settings=usual, upstreams=named) as under_test:
        for name in ("gpu", "default", "gpu", "default"):
            answer = await under_test.exchange(request(path=f"/v1/{name}"))
            assert answer.startswith(b"HTTP/1.1 200 ")
        unknown = await under_test.exchange(request(path="/v1/elsewhere"))
    server.close()
    assert error_code(unknown) == "policy-unavailable"
    assert (under_test.upstream.connections, other.connections) == (1, 1)
    assert (len(under_test.upstream.requests), len(other.requests)) == (2, 2)
    assert all(b"/v1/gpu" in each and b"token-of-gpu" in each and b"usual" not in each for each in other.requests)
    assert all(b"token-of-usual" in each and b"gpu" not in each for each in under_test.upstream.requests)
