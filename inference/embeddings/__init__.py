# SPDX-License-Identifier: Apache-2.0
"""Models that turn texts into vectors: loaded, and asked in batches."""
