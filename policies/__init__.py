# SPDX-License-Identifier: Apache-2.0
"""The narrow waist: contracts, the policy language, its compiler, the engines and the pure evaluation.

Everything here is free of HTTP frameworks, databases and proxies, so that the proxy, the control plane, tests and the
command line evaluate a request with the same code and cannot disagree. It imports nothing else of Gatehouse.
"""
