# SPDX-License-Identifier: Apache-2.0
"""What is read, decided and written of a request and its answer, without I/O and without mitmproxy.

Families: framing (heads, chunks, HTTP of the upstream), firewall and request readers (one for each dialect), identity,
answers (plain, and `sse_*` for streams; `responses_*` for both of the responses dialect), records, counts. `exchange`
is the state that all of them share.
"""
