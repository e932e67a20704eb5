# SPDX-License-Identifier: GPL-2.0-only
"""The program: what a handler does, independent of how its file spells it."""
