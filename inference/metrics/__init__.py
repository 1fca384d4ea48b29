# SPDX-License-Identifier: Apache-2.0
"""What the server counts, under vLLM's names where vLLM has one, so that one scraper and one rule fit both."""
