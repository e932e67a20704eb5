# SPDX-License-Identifier: GPL-2.0-only
"""One piece of work on every file of a source, in parallel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from codegen.base.collector import look_seldom, pass_over
from codegen.toolchain.request import Request

if TYPE_CHECKING:
    from codegen.corpus.nodes import CFile

R = TypeVar("R")


def _nothing(count: int) -> None:
    """Nobody wants to know how far it is."""


def each_file(
    request: Request,
    work: Callable[[Request, CFile], R],
    done: Callable[[int], None] = _nothing,
) -> Iterator[R]:
    """`work` on every file, in parallel where there is more than one, results in file order."""
    files = request.source.files
    work = partial(_guarded, work)
    if request.jobs <= 1 or len(files) <= 1:
        for file in files:
            yield work(request, file)
            done(1)
        return
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(request.jobs) as pool:
        # The largest files first: a late large one would leave a core idle.
        order = sorted(range(len(files)), key=lambda i: -len(files[i].source.text))
        futures = {i: pool.submit(work, request, files[i]) for i in order}
        for i in range(len(files)):
            yield futures[i].result()
            done(1)


def _guarded(work: Callable[[Request, CFile], R], request: Request, file: CFile) -> R:
    """`work`, with the file named where it breaks. Raises InternalError, or UnreadableSource."""
    from codegen.base.diagnostics import GenfaultError, InternalError, UnreadableSource

    look_seldom()
    try:
        return work(request, file)
    except GenfaultError:
        raise
    except RecursionError as error:
        raise UnreadableSource(file.path, "nested more deeply than can be read") from error
    except Exception as error:
        raise InternalError(file.path, f"{type(error).__name__}: {error}") from error
    finally:
        pass_over()
