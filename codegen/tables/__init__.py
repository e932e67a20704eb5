# SPDX-License-Identifier: GPL-2.0-only
"""The decisions of a handler as data: how it decodes a fault, what it answers to each outcome."""
