# SPDX-License-Identifier: GPL-2.0-only
"""genfault: convert, compare and simulate the kernel's page-fault handlers."""

__version__ = "0.1.0"
