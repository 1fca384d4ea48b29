# SPDX-License-Identifier: Apache-2.0
"""What recognises sensitive text, one detector a module with its own samples, while the text is still arriving."""
