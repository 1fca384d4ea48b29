# SPDX-License-Identifier: Apache-2.0
"""A real node that checks itself, against an upstream that is open first and closed then."""

from tests.node_processes import until
from tests.posture_servers import answer, saying


def results(node):
    return {each["check"]: (each["result"], each["detail"]) for each in node.status.get("posture", ())}


async def test_what_is_wrong_is_found_and_what_was_mended_passes(node, signer, control_plane):
    async with saying(answer(200)) as (port, asked):
        node.environment["GATEHOUSE_UPSTREAM_URL"] = f"http://127.0.0.1:{port}"
        await control_plane.publish(
            bundle=signer.bundle(5),
            credentials=signer.credentials(1),
            environment=signer.environment(1, posture_every_s=1),
        )
        node.start()
        await until(lambda: node.enforces(5))
        await until(lambda: results(node).get("unauthenticated-passes") == ("passed", "refused"))
        assert results(node) == {
            "upstream-reachable-around": ("failed", "answers-without-credentials"),
            "unauthenticated-passes": ("passed", "refused"),
            "tls": ("skipped", "no-certificate-set"),
            "canaries": ("skipped", "no-canaries"),
            "screen": ("skipped", "not-asked-for"),
        }
        assert all(b"Authorization" not in each for each in asked)
    await until(lambda: results(node)["upstream-reachable-around"] == ("passed", "connection-refused"))
    assert await node.stop() == 0
