# SPDX-License-Identifier: GPL-2.0-only
"""Errors come out of worker processes as they went in."""

import pickle

import pytest

from codegen.base.diagnostics import (
    InternalError,
    Refusal,
    RefusalCode,
    RefusedError,
    UnreadableSource,
)


@pytest.mark.parametrize(
    "error",
    [
        InternalError("a.c", "KeyError: 'VM_READ'"),
        UnreadableSource("a.c", "is no C", 7),
        UnreadableSource("tree", "is empty"),
        RefusedError(Refusal(RefusalCode.SHAPE, "reason", "construct", "a.c", 7)),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_the_way_out_of_a_worker(error: Exception) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
