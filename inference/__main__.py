# SPDX-License-Identifier: Apache-2.0
"""`python -m inference`."""

from inference.cli import main

main()
