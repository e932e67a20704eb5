# SPDX-License-Identifier: GPL-2.0-only
"""Where `docs/`, `templates/` and `kernel_snippets/` are: in a checkout, or inside the wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_dir(name: str) -> Path:
    """The folder `name` of our own data files.

    An installed wheel carries the folders in `codegen/_data/` (see
    pyproject.toml); a checkout has them beside `codegen/`.

    Raises FileNotFoundError when neither place has it: a broken installation.
    """
    for base in (_PACKAGE / "_data", _PACKAGE.parent):
        if (base / name).is_dir():
            return base / name
    raise FileNotFoundError(f"genfault's own folder {name}/ is missing from this installation")
