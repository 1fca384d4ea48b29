# SPDX-License-Identifier: Apache-2.0
"""The whole of Gatehouse on one machine: keys, a local CA, the processes, and what keeps them running.

It starts the other roles as commands and talks to them over their own interfaces; it imports none of them.
"""
