# SPDX-License-Identifier: Apache-2.0
"""Policy documents as authors write them: read strictly, every problem with its place, all problems at once."""
