# SPDX-License-Identifier: GPL-2.0-only
"""The layers that ../lower.py stands on, each a class over the one before it.

draft, logic, operators, initialisers, calls, expressions, control, statements;
`declared` and `arithmetic` are functions that several of them use.
"""
