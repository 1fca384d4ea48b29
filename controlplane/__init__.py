# SPDX-License-Identifier: Apache-2.0
"""Administration and audit: the REST API, releases, activation, the decision store and the `gatehouse` command."""
