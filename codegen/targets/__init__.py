# SPDX-License-Identifier: GPL-2.0-only
"""The products: what is written from the decision tables. They never import each other."""
