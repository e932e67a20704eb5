# SPDX-License-Identifier: GPL-2.0-only
"""Two programs before and after, path pair by path pair, and one program against the contract."""
