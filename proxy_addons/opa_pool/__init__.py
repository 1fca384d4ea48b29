# SPDX-License-Identifier: Apache-2.0
"""The OPA pool: one stock OPA server on a Unix socket for each bundle file of a node, and nothing else.

Theory: the node decides which bundles live by putting files into `bundles/` and taking them away; the pool makes the
running servers equal to the files, every 50 ms. Old and new bundle are therefore served side by side for as long as
requests of the old one are open. It is standard library only, so that it stands before the first bundle arrives.

Warning: OPA's REST API on such a socket is open to whoever can connect. Two things stand before that: the sockets'
directory has mode 0700, and OPA refuses every write below `gatehouse`, because the bundle owns that root. A process of
the same user is not kept out; it could as well ptrace the proxy.
"""
