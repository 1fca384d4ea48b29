# SPDX-License-Identifier: Apache-2.0
"""Every time and size limit of a worker's connections, to clients and upstream, each with the reason for its number."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits of one worker's connections. Sizes of request bodies are policy and not here."""

    # A connection without a request costs some 10 KB; two for each request in flight, and room for clients' idle pools.
    connections: int = 4096
    # Connections beyond these are told so, which costs a socket for up to a second. Beyond that they are just closed.
    turned_away: int = 256
    turn_away_s: float = 1.0
    # Requests whose answer is not complete. A worker moves some 500 streams at 50 ms an event; twice as many are late,
    # and more would make every one of them late.
    requests: int = 1024
    # A handshake takes two round trips; a client that opens a connection and stays silent holds memory for nothing.
    handshake_s: float = 5.0
    # A head fits into a few packets; whoever needs longer from its first to its last byte is dripping it.
    head_s: float = 10.0
    # Between two pieces of a body, and for all of it: uploads over a bad mobile line pass, a drip does not.
    body_idle_s: float = 30.0
    body_total_s: float = 300.0
    # Longer than the 60 s after which common client pools give a connection up, so that they close first.
    keep_alive_s: float = 75.0
    # A client that takes no byte of its answer for this long holds a slot of the upstream for nothing.
    client_stall_s: float = 60.0
    # After a refusal the rest of the request is read and dropped, so that the kernel does not answer it with a reset
    # that destroys the refusal before it was read. Bounded, since it is work for somebody who was refused.
    linger_s: float = 2.0
    linger_bytes: int = 1024 * 1024
    # Bytes of pipelined requests that wait for their turn; beyond it the socket is not read.
    pipelined_bytes: int = 64 * 1024
    # Bytes the transport may hold for a slow reader before the upstream is paused. A few hundred stream events.
    client_buffer_bytes: int = 64 * 1024
    # A whole answer is held in memory until it was examined. The longest completions are below one megabyte.
    answer_bytes: int = 32 * 1024 * 1024

    # On one data centre's network a connection takes milliseconds; the handshake of TLS is included.
    connect_s: float = 5.0
    # A long prompt on a loaded server may wait this long for its first token.
    first_byte_s: float = 120.0
    # Between two pieces of an answer.
    upstream_idle_s: float = 60.0
    # An answer, streamed or not, from the request's last byte to its own. Common clients wait 600 s for all of it.
    upstream_total_s: float = 600.0
    # An unused connection to the upstream; most servers close theirs earlier, and then it is dropped at once.
    pool_idle_s: float = 60.0
    pool_size: int = 128

    # A worker that ends still takes requests on its open connections for this long, each the last of its connection: a
    # client that is just sending one would lose it if the connection were closed at once.
    parting_s: float = 0.5
    # Streams of ordinary length finish; a supervisor's usual patience is 30 s. A node says less (`DRAIN_S`), since it
    # still has to ship what its workers wrote.
    drain_s: float = 25.0
