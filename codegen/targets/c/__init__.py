# SPDX-License-Identifier: GPL-2.0-only
"""C for the kernel: converted handlers, the helper that they call, the patch series."""
