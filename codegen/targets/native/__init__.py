# SPDX-License-Identifier: GPL-2.0-only
"""The native test bench: a handler's own C text, compiled by the host and run on scenarios."""
