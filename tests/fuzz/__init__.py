# SPDX-License-Identifier: Apache-2.0
"""Bytes that nobody foresaw, for every place of the data plane and of an auditor's tools that takes bytes.

    python -m tests.fuzz --seconds 600 [TARGET …]

`targets` has a function for each place; it raises where something does not hold. With Atheris installed
(`pip install atheris`) inputs are guided by coverage, else they are mutations of the seeds alone.
`tests/property/test_fuzz_targets.py` gives each target some hundred mutations, always the same.
"""
