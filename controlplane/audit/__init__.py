# SPDX-License-Identifier: Apache-2.0
"""The audit log's mathematics: tree, tiles, proofs, checkpoints (`docs/spec/log.md`). No SQL, no web framework."""
