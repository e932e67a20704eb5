# SPDX-License-Identifier: GPL-2.0-only
"""Compiles a converted kernel tree, one architecture at a time, before and after."""
