# SPDX-License-Identifier: GPL-2.0-only
"""How an architecture is compiled, and with what of it this machine has.

recipes.toml  --load_recipes-->  Recipe  --find_toolchain-->  Toolchain | None
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

_DATA = Path(__file__).with_name("recipes.toml")
_TOOLS = "ar as ld nm objcopy objdump ranlib readelf strip".split()


class How(StrEnum):
    """What compiles: the target's own compiler, or another one that sees syntax and types."""

    COMPILER = "compiler"
    STANDIN = "standin"


@dataclass(frozen=True)
class Mend:
    """One replacement without which a tree as shipped does not build."""

    recipe: str
    why: str
    file: str
    find: str
    replace: str
    where: str
    when: str
    clang: bool


@dataclass(frozen=True)
class Standin:
    """Another target's gcc, by its prefix, and what makes it pass for this one."""

    cross: str
    options: tuple[str, ...]


@dataclass(frozen=True)
class Recipe:
    """One way to compile an architecture; `arch` is genfault's name for it."""

    name: str
    arch: str
    config: str
    cross: str | None
    clang: str | None
    target: str | None
    package: str | None
    standin: Standin | None
    mends: tuple[Mend, ...]

    @property
    def compiler(self) -> str:
        """The command that has to be there."""
        return f"clang{self.clang}" if self.clang is not None else f"{self.cross}gcc"

    def missing(self) -> str:
        """What to say where neither the compiler nor a stand-in is there."""
        if self.package is None:
            return f"no {self.compiler}, and no Debian package of it"
        return f"no {self.compiler} (Debian: apt-get install {self.package})"


@dataclass(frozen=True)
class Toolchain:
    """What Kbuild is given: make variables, an addition to PATH, and what it is called."""

    how: How
    variables: tuple[str, ...]
    path: Path | None
    version: str
    is_clang: bool


def load_recipes(path: Path = _DATA) -> dict[str, Recipe]:
    """Every recipe by its name, in alphabetical order.

    Raises ValueError where the data does not have the form that it describes.
    """
    data = tomllib.loads(path.read_text("utf-8"))
    mends = [_mend(m) for m in data.get("mend", ())]
    recipes = {name: _recipe(name, entry, mends) for name, entry in data["recipe"].items()}
    unknown = {m.recipe for m in mends} - recipes.keys()
    if unknown:
        raise ValueError(f"{path}: mends for {sorted(unknown)}, which have no recipe")
    return dict(sorted(recipes.items()))


def _mend(entry: Mapping[str, Any]) -> Mend:
    file, find = entry["file"], entry["find"]
    return Mend(
        recipe=entry["recipe"],
        why=" ".join(entry["why"].split()),
        file=file,
        find=find,
        replace=entry["replace"].strip("\n"),
        where=entry.get("where", file),
        when=entry.get("when", find),
        clang=entry.get("clang", False),
    )


def _recipe(name: str, entry: Mapping[str, Any], mends: list[Mend]) -> Recipe:
    known = {"arch", "cross", "clang", "target", "config", "package", "standin"}
    if not entry.keys() <= known or ("cross" in entry) == ("clang" in entry):
        raise ValueError(f"recipe.{name}: unknown keys, or not exactly one of cross and clang")
    standin = entry.get("standin")
    return Recipe(
        name=name,
        arch=entry.get("arch", name),
        config=entry.get("config", "defconfig"),
        cross=entry.get("cross"),
        clang=entry.get("clang"),
        target=entry.get("target"),
        package=entry.get("package"),
        standin=Standin(standin["cross"], tuple(standin["options"])) if standin else None,
        mends=tuple(m for m in mends if m.recipe == name),
    )


def find_toolchain(recipe: Recipe, folder: Path) -> Toolchain | None:
    """What of this machine's compilers can compile the architecture; None without any.

    A stand-in's wrappers are written to `folder`.
    """
    if shutil.which(recipe.compiler) is not None:
        version = _version(recipe.compiler)
        if recipe.clang is None:
            variables = (f"CROSS_COMPILE={recipe.cross}",) if recipe.cross else ()
            return Toolchain(How.COMPILER, variables, None, version, False)
        llvm = [f"LLVM={recipe.clang}"]
        if recipe.target is not None:
            compiler = f"{recipe.compiler} --target={recipe.target}"
            llvm += [f"CROSS_COMPILE={recipe.target}-", f"CC={compiler}"]
        return Toolchain(How.COMPILER, tuple(llvm), None, version, True)
    standin = recipe.standin
    if standin is not None and recipe.cross and shutil.which(f"{standin.cross}gcc") is not None:
        _write_wrappers(recipe.cross, standin, folder)
        version = f"{_version(f'{standin.cross}gcc')} as a stand-in"
        return Toolchain(How.STANDIN, (f"CROSS_COMPILE={recipe.cross}",), folder, version, False)
    return None


def _version(compiler: str) -> str:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return f"{compiler}: {done.stdout.splitlines()[0]}" if done.stdout else compiler


def _write_wrappers(prefix: str, standin: Standin, folder: Path) -> None:
    """PREFIXgcc, which is the other compiler in disguise, and its tools under this prefix."""
    folder.mkdir(parents=True, exist_ok=True)
    for tool in _TOOLS:
        link, real = folder / f"{prefix}{tool}", shutil.which(f"{standin.cross}{tool}")
        link.unlink(missing_ok=True)
        if real is not None:
            link.symlink_to(real)
    real = shutil.which(f"{standin.cross}gcc")
    assert real is not None
    text = _WRAPPER.format(real=shlex.quote(real), options=shlex.join(standin.options))
    wrapper = folder / f"{prefix}gcc"
    # Kbuild looks at no time of the compiler; but a run beside us may be using it.
    if not wrapper.exists() or wrapper.read_text("utf-8") != text:
        fresh = wrapper.with_suffix(".new")
        fresh.write_text(text, "utf-8")
        fresh.chmod(0o755)
        fresh.replace(wrapper)


_WRAPPER = """\
#!/usr/bin/env bash
# Written by scripts/kernel-build: another target's gcc, for syntax and types.
real={real}
disguise=({options})
arguments=() output=a.out compile= assembly= skip=
for word; do
  if [ "$skip" = number ]; then skip=; continue; fi
  if [ "$skip" = output ]; then output=$word; skip=; fi
  case $word in
  -Wa,--version) exec "$real" "$@" ;;
  -G) skip=number; continue ;;
  -m* | -Wa,* | -ffixed-*) continue ;;
  -o) skip=output ;;
  -c) compile=yes ;;
  *.S) assembly=yes ;;
  esac
  arguments+=("$word")
done
if [ -z "$compile" ]; then exec "$real" "${{disguise[@]}}" "${{arguments[@]}}"; fi
if [ -z "$assembly" ]; then
  "$real" "${{disguise[@]}}" "${{arguments[@]}}" -fsyntax-only || exit
fi
exec "$real" -x c -c /dev/null -o "$output"
"""
