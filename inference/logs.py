# SPDX-License-Identifier: Apache-2.0
"""Logs: one JSON object a line on standard error. Events are constants; prompts and answers never stand in them."""

import logging
import sys

import structlog


def configure_logs() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    # uvicorn would log tracebacks, whose last line may quote what a client sent. What matters of its life is logged
    # by us; a failing request is logged by the application's outermost layer, without content.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
