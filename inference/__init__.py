# SPDX-License-Identifier: Apache-2.0
"""An OpenAI-compatible inference server on torch and transformers. It knows nothing of policy."""
