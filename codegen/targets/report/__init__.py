# SPDX-License-Identifier: GPL-2.0-only
"""What a run found, for others to look at: a page, and SARIF."""
