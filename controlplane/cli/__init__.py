# SPDX-License-Identifier: Apache-2.0
"""The `gatehouse` command. Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 nothing answers."""
