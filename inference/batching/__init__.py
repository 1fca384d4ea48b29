# SPDX-License-Identifier: Apache-2.0
"""Many answers in one forward pass, on transformers' continuous batching."""
