# SPDX-License-Identifier: Apache-2.0
"""Logs of the node and its workers: one JSON object a line on standard error, a constant event and identifiers."""

import logging
import sys

import structlog


def log_to_stderr(**identifiers: str | int) -> None:
    """Send every log line of this process to standard error, each with `identifiers`."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(**identifiers)
    # Libraries speak only of what went wrong; their lines carry no content of ours.
    logging.basicConfig(
        level=logging.WARNING, stream=sys.stderr, format='{"level":"%(levelname)s","logger":"%(name)s"}'
    )
