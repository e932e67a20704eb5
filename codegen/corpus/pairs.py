# SPDX-License-Identifier: GPL-2.0-only
"""Two sources side by side: which file of one is which file of the other."""

from codegen.base.diagnostics import GenfaultError
from codegen.corpus.nodes import CFile, Source


def pair_up(src: Source, tgt: Source) -> dict[str, CFile]:
    """The file of `tgt` for each file of `src` that has one, by src's path.

    By path, else by architecture or stem; two sources of one file each are a
    pair. Raises GenfaultError where they have nothing in common.
    """
    if len(src.files) == len(tgt.files) == 1:
        return {src.files[0].path: tgt.files[0]}
    by_path = {f.path: f for f in tgt.files}
    by_selector = {f.selector: f for f in tgt.files}
    found = {f.path: by_path.get(f.path) or by_selector.get(f.selector) for f in src.files}
    partners = {path: file for path, file in found.items() if file is not None}
    if not partners:
        raise GenfaultError(f"{src.name} and {tgt.name} have no handler in common")
    return partners
