# SPDX-License-Identifier: GPL-2.0-only
"""Handlers as Python: readable modules that run one scenario and give its trace."""
