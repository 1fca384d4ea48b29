# SPDX-License-Identifier: Apache-2.0
"""Proof from outside: attack cases as data, sent over raw sockets to any gateway, before an upstream that records.

It knows no other package of Gatehouse and judges by what a client reads and what reaches the upstream, nothing else.
"""
