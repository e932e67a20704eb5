# SPDX-License-Identifier: GPL-2.0-only
"""What two files have word for word in common: a routine with all that it hangs on, and data.

Equal tokens under equal conditionals, macros and numbers are the same program
in every configuration; nothing needs to be parsed for that.
"""

from __future__ import annotations

from collections.abc import Iterable

from codegen.csyntax.items import Item, ItemKind, Items
from codegen.ir.load import Unit


class Texts:
    """Two files, to be asked what is the same in them."""

    def __init__(self, before: Unit, after: Unit) -> None:
        self.units = (before, after)
        self.items = (Items(before.tree), Items(after.tree))
        self.same_file = before is after
        self._same: dict[str, bool] = {}
        self._unlike: dict[frozenset[str], tuple[tuple[int, Item], ...]] = {}

    def same(self, name: str) -> bool:
        """Whether a function and all that it names, however far, are the same on both sides."""
        if name not in self._same:
            self._same[name] = self.same_file or self._compared(name)
        return self._same[name]

    def _compared(self, name: str) -> bool:
        one, two = self.items
        mine, theirs = one.needed({name}), two.needed({name})
        if len(mine) != len(theirs) or not mine:
            return False
        if any(one.told(a) != two.told(b) for a, b in zip(mine, theirs, strict=True)):
            return False
        words = {w for item in mine for w in one.words(item)}
        numbers = [unit.constants for unit in self.units]
        if any(numbers[0].get(w) != numbers[1].get(w) for w in words):
            return False
        # What the file does not define may be in the text that stands beside one of them.
        return not any(words & unit.names_beside for unit in self.units)

    def unlike_data(self, functions: Iterable[str]) -> tuple[tuple[int, Item], ...]:
        """The data that both sides' `functions` name and whose value is not the same.

        Each as src has it, (0, item), or (1, item) where only tgt gives it one.
        """
        key = frozenset(functions)
        if key not in self._unlike:
            self._unlike[key] = () if self.same_file else tuple(self._data(key))
        return self._unlike[key]

    def _data(self, functions: frozenset[str]) -> list[tuple[int, Item]]:
        known: list[tuple[set[str], dict[str, list[Item]]]] = []
        for items in self.items:
            needed = items.needed(functions, functions)
            words = {w for item in needed for w in items.words(item)}
            values: dict[str, list[Item]] = {}
            for item in needed:
                if item.kind is ItemKind.DATA and item.initialised:
                    for name in item.names:
                        values.setdefault(name, []).append(item)
            known.append((words, values))
        (mine, my_values), (theirs, their_values) = known
        one, two = self.items
        found: list[tuple[int, Item]] = []
        for name in sorted((my_values.keys() | their_values.keys()) & mine & theirs):
            a, b = my_values.get(name, []), their_values.get(name, [])
            if [one.told(i) for i in a] != [two.told(i) for i in b]:
                found.append((0, a[0]) if a else (1, b[0]))
        return found

    def pointed_at(self, side: int, functions: Iterable[str]) -> set[str]:
        """The functions that the data holds which `functions` name."""
        items = self.items[side]
        names = frozenset(functions)
        needed = items.needed(names, names)
        words = {
            w for i in needed if i.kind is ItemKind.DATA and i.initialised for w in items.words(i)
        }
        return {f.name for f in self.units[side].tree.functions} & words

    def defines(self, side: int, name: str) -> bool:
        """Whether a side's file defines a function."""
        return any(f.name == name for f in self.units[side].tree.functions)

    def line(self, side: int, name: str) -> int:
        """The 1-based line of a function's name; 1 where the file does not define it."""
        unit = self.units[side]
        places = (f.name_span.start for f in unit.tree.functions if f.name == name)
        return unit.source.line(next(places, 0))
