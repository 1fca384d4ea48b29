# SPDX-License-Identifier: Apache-2.0
"""The one way a check of the core says no: a reason code, and where of the request, in our own words."""


class Refused(Exception):
    """The request must be refused with `code`, one of `policies.contracts.reasons.REASONS`.

    `param` is the path of a field in the vocabulary of our own allow-lists, such as `messages.content.image_url`; never
    text of the client.
    """

    def __init__(self, code: str, *, param: str | None = None) -> None:
        super().__init__(code if param is None else f"{code}: {param}")
        self.code = code
        self.param = param
