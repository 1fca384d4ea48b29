# SPDX-License-Identifier: Apache-2.0
"""The tour: what Gatehouse does, shown step by step with a real OpenAI client on a running Gatehouse."""
