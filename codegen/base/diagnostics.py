# SPDX-License-Identifier: GPL-2.0-only
"""What goes wrong, as data.

A `Refusal` is an answer: this handler cannot be read or converted, and here is
the construct and the reason. It travels beside the good results and turns the
exit code to 1. A `GenfaultError` is the end of the run: the command line or
the input as a whole is unusable, one message, exit code 2.
"""

from dataclasses import dataclass
from enum import StrEnum


class RefusalCode(StrEnum):
    """Why a handler is refused; the values are part of the JSON contract."""

    UNREADABLE = "unreadable"
    CONVERTED = "already-converted"
    GROWSUP = "growsup"
    NOT_A_MASK = "not-a-mask"
    NO_DANCE = "no-dance"
    SHAPE = "shape"
    DIFFERS = "differs"
    RESOURCE = "resource"
    NO_HELPER = "no-helper"
    NO_COUNTERPART = "no-counterpart"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One handler that cannot be handled, and the construct that is to blame."""

    code: RefusalCode
    reason: str
    construct: str
    path: str
    line: int

    def __str__(self) -> str:
        """`arch/ia64/mm/fault.c:96: growsup: reason: construct`"""
        return f"{self.path}:{self.line}: {self.code}: {self.reason}: {self.construct}"


class GenfaultError(Exception):
    """Bad usage or unreadable input: one message for the user, exit code 2."""


class InternalError(Exception):
    """A bug of ours met on one file: said with the file's name, the rest of the run is void."""

    def __init__(self, path: str, error: str) -> None:
        # The arguments as they are: an exception is made anew from them on its way
        # out of a worker process.
        super().__init__(path, error)

    def __str__(self) -> str:
        path, error = self.args
        return (
            f"{path}: internal error, {error}; "
            "this is a bug of genfault (GENFAULT_DEBUG=1 shows where)"
        )


class UnreadableSource(GenfaultError):
    """A SOURCE argument, or a file in it, that cannot be read as C at all."""

    def __init__(self, path: str, reason: str, line: int | None = None) -> None:
        super().__init__(path, reason, line)
        self.path, self.line, self.reason = path, line, reason

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        return f"{where}: {self.reason}"


class RefusedError(Exception):
    """Carries a `Refusal` out of a deep stage; caught where the handler's result is made."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal)
        self.refusal = refusal

    def __str__(self) -> str:
        return str(self.refusal)
