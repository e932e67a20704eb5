# SPDX-License-Identifier: GPL-2.0-only
"""One configuration at a time: from a file's text to the syntax of the functions in reach."""
