# SPDX-License-Identifier: Apache-2.0
"""The HTTP interface: OpenAI's shapes around the engine. It knows neither torch nor transformers."""
