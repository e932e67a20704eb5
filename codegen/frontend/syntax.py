# SPDX-License-Identifier: GPL-2.0-only
"""pycparser's node types, handed on to the one floor that lowers them.

Only the frontend imports pycparser: what comes out of `parse.py` is a tree of
these, and `ir/lower.py` matches on them.
"""

from pycparser import c_ast

__all__ = ["c_ast"]
