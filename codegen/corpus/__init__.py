# SPDX-License-Identifier: GPL-2.0-only
"""Where text comes from: bundled snippets, a C file, a folder, a kernel tree, a Debian package."""
