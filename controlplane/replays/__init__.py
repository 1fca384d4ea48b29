# SPDX-License-Identifier: Apache-2.0
"""Replay: what a release would have decided, beside what was decided (`docs/spec/life-cycle.md`, "Replay")."""
