# SPDX-License-Identifier: GPL-2.0-only
"""The ground floor: source positions, diagnostics, and where our own data files are."""
