# SPDX-License-Identifier: Apache-2.0
"""What is in the log, pushed to where others look: syslog, HTTP and OTLP (`docs/how-to/push-to-a-siem.md`).

One direction: the log is read from a sink's durable position on (`pusher`), each entry becomes a message
(`messages`), messages are put into the words of a protocol (`syslog`, `otlp`, `ndjson`), and a delivery hands them over
(`delivery`). The position moves only when the other side has said yes.
"""
