# SPDX-License-Identifier: GPL-2.0-only
"""Terms, places and programs as text.

Terms print as C: `(regs->ecr_cause & ECR_C_PROTV_STORE) != 0` as a condition is
`regs->ecr_cause & ECR_C_PROTV_STORE`. The ordinal of a pass (`vma#1`) is left
out where `ordinals` is off, as in the tables, which describe one pass only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Branch,
    Call,
    Cast,
    Conditional,
    Deref,
    Expr,
    Field,
    Function,
    Global,
    Index,
    Instruction,
    Jump,
    Literal,
    Local,
    PureCall,
    Return,
    Terminator,
    Text,
    Unary,
)
from codegen.ir.terms import Term, negate

_ORDINAL = re.compile(r"[#@]\d+")
_PENDING = re.compile(r"\b((?:fatal_)?signal_pending)\b(?!\()")

# C precedence, loosest first.
_PRECEDENCE = {
    "ite": (3, "?"),
    "lor": (4, "||"),
    "land": (5, "&&"),
    "or": (6, "|"),
    "xor": (7, "^"),
    "and": (8, "&"),
    "eq": (9, "=="),
    "ult": (10, "<"),
    "slt": (10, "<"),
    "shl": (11, "<<"),
    "lshr": (11, ">>"),
    "ashr": (11, ">>"),
    "add": (12, "+"),
    "sub": (12, "-"),
    "mul": (13, "*"),
    "udiv": (13, "/"),
    "sdiv": (13, "/"),
    "urem": (13, "%"),
    "srem": (13, "%"),
}
_UNARY = 14
_PRIMARY = 15

Spelling = Mapping[Term, str]


def term_text(term: Term, spelling: Spelling | None = None, ordinals: bool = False) -> str:
    """A term in C. `spelling` gives the source's own words for terms that it wrote."""
    text = _Printer(spelling or {}).show(term)
    return text if ordinals else _PENDING.sub(r"\1(current)", _ORDINAL.sub("", text))


def guard_text(conditions: Sequence[Term], spelling: Spelling | None = None) -> str:
    """Conditions that must all hold, joined by `&&`, bracketed as a person would."""
    texts = list(dict.fromkeys(term_text(c, spelling) for c in conditions))
    if len(texts) == 1:
        return _inside(texts[0])
    return " && ".join(f"({t})" if "||" in t or " ? " in t else t for t in texts)


def place_text(place: Term, ordinals: bool = False) -> str:
    """What is at an address: `regs->pc`, `tsk->thread.fault_address`, `pte_errors`."""
    text = _Printer({}).place(place)
    return text if ordinals else _ORDINAL.sub("", text)


class _Printer:
    def __init__(self, spelling: Spelling) -> None:
        self.spelling = spelling

    def show(self, term: Term) -> str:
        return self._at(term, 0)

    def _at(self, term: Term, level: int) -> str:
        spelled = self.spelling.get(term)
        if spelled is not None:
            return spelled if level == 0 or _is_word(spelled) else f"({spelled})"
        own, text = self._print(term)
        return text if own >= level else f"({text})"

    def _print(self, term: Term) -> tuple[int, str]:
        if term.bits == 1 and (spelled := self.spelling.get(negate(term))) is not None:
            opposite = _opposite(spelled)
            if opposite is not None:
                return (_UNARY if _is_word(opposite) else 9), opposite
            return _UNARY, f"!{spelled}" if _is_word(spelled) else f"!({spelled})"
        match term.op:
            case "int":
                return _PRIMARY, self._constant(term)
            case "sym" | "object":
                return _PRIMARY, str(term.payload).removeprefix("&")
            case "text":
                return _PRIMARY, str(term.payload)
            case "local":
                return _UNARY, f"&{term.payload[1]}"  # type: ignore[index]
            case "field" | "index":
                return _UNARY, f"&{self.place(term)}"
            case "call":
                args = ", ".join(self.show(a) for a in term.args)
                return _PRIMARY, f"{term.payload}({args})"
            case "lnot":
                return self._negation(term.args[0])
            case "zext" | "sext" | "trunc":
                inner = term.args[0]
                spelled = self.spelling.get(inner)
                if spelled is not None:
                    return (_PRIMARY if _is_word(spelled) else 0), spelled
                cut = inner if inner.op == "trunc" else term
                if cut.op == "trunc" and (ctype := _narrow_type(term.op, cut.bits)):
                    return _UNARY, f"({ctype}){self._at(cut.args[0], _UNARY)}"
                return self._print(inner)
            case "not":
                return _UNARY, f"~{self._at(term.args[0], _UNARY)}"
            case "neg":
                return _UNARY, f"-{self._at(term.args[0], _UNARY)}"
            case "ite":
                condition, yes, no = term.args
                if yes.is_constant and no.is_constant and (yes.value, no.value) == (1, 0):
                    return self._print(condition)
                return 3, f"{self._at(condition, 4)} ? {self._at(yes, 4)} : {self._at(no, 3)}"
            case "eq" if term.args[1].is_constant and term.args[1].value == 0:
                if term.args[1].name is None:
                    return _UNARY, f"!{self._at(term.args[0], _UNARY)}"
        precedence, operator = _PRECEDENCE[term.op]
        left, right = term.args
        if term.op == "eq" and _is_like_constant(left) and not right.is_constant:
            left, right = right, left
        if term.op in ("ult", "slt") and _is_like_constant(left) and not right.is_constant:
            left, right, operator = right, left, ">"
        # `a & b == c` is a trap for readers: `&` wants brackets around a comparison.
        on_left = 9 if precedence == 8 else precedence
        text = f"{self._at(left, on_left)} {operator} {self._at(right, precedence + 1)}"
        return precedence, text

    def _negation(self, inner: Term) -> tuple[int, str]:
        spelled = self.spelling.get(inner)
        if spelled is not None:
            opposite = _opposite(spelled)
            if opposite is not None:
                return 9, opposite
        if spelled is None and inner.op == "eq":
            left, right = inner.args
            if right.is_constant and right.value == 0 and right.name is None:
                return self._print(left) if left not in self.spelling else (0, self.show(left))
            if _is_like_constant(left) and not right.is_constant:
                left, right = right, left
            return 9, f"{self._at(left, 10)} != {self._at(right, 10)}"
        if spelled is None and inner.op in ("ult", "slt"):
            left, right = inner.args
            if _is_like_constant(left) and not right.is_constant:
                return 10, f"{self._at(right, 10)} <= {self._at(left, 11)}"
            return 10, f"{self._at(left, 10)} >= {self._at(right, 11)}"
        return _UNARY, f"!{self._at(inner, _UNARY)}"

    def _constant(self, term: Term) -> str:
        if term.name is not None:
            return term.name
        value = term.value
        if value >> (term.bits - 1) and term.bits >= 32 and value > (1 << term.bits) - 4096:
            return str(value - (1 << term.bits))
        return str(value) if value < 10 else hex(value)

    def place(self, place: Term) -> str:
        match place.op:
            case "object":
                name = str(place.payload)
                return name.removeprefix("&") if name.startswith("&") else f"*{name}"
            case "local":
                return str(place.payload[1])  # type: ignore[index]
            case "field":
                base = place.args[0]
                if base.op in ("field", "index", "local") or str(base.payload).startswith("&"):
                    return f"{self.place(base)}.{place.payload}"
                return f"{self._at(base, _PRIMARY)}->{place.payload}"
            case "index":
                base, index = place.args
                if base.op in ("field", "index", "local") or str(base.payload).startswith("&"):
                    return f"{self.place(base)}[{self.show(index)}]"
                return f"{self._at(base, _PRIMARY)}[{self.show(index)}]"
            case _:
                return f"*{self._at(place, _UNARY)}"


_NARROW = {
    ("zext", 8): "unsigned char",
    ("sext", 8): "signed char",
    ("zext", 16): "unsigned short",
    ("sext", 16): "short",
}


def _narrow_type(widened: str, bits: int) -> str | None:
    """The C type of a value that was cut to less than an int; wider cuts go without saying."""
    return _NARROW.get(("sext" if widened == "sext" else "zext", bits))


def _is_like_constant(term: Term) -> bool:
    """A number, or a name that a header gives one to: it stands on the right of a comparison."""
    while term.op in ("zext", "sext", "trunc"):
        term = term.args[0]
    return term.is_constant or (term.op == "sym" and str(term.payload).isupper())


_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_COMPARES = re.compile(r"(?<![-<>=!&|])(==|!=|<=|>=|<|>)(?![<>=])")


def _opposite(text: str) -> str | None:
    """The source's words negated: `x` for `!x`, `a != b` for `a == b`; None if that is unclear."""
    if text.startswith("!") and _is_word(text[1:]):
        return text[1:]
    if text.startswith("!(") and text.endswith(")") and _is_word(text[1:]):
        return _inside(text[1:])
    text = _inside(text)
    top = _top_level(text)
    if any(c in top for c in "&|?"):
        return None
    found = list(_COMPARES.finditer(top))
    if len(found) != 1:
        return None
    start, end = found[0].span()
    return text[:start] + _OPPOSITE[found[0].group()] + text[end:]


def _inside(text: str) -> str:
    """`x == y` for `(x == y)`."""
    while text.startswith("(") and text.endswith(")") and not _top_level(text).strip():
        text = text[1:-1].strip()
    return text


def _top_level(text: str) -> str:
    """The text with blanks for what stands in parentheses, these included."""
    out, depth = [], 0
    for c in text:
        depth += c in "(["
        out.append(c if depth == 0 and c not in ")]" else " ")
        depth -= c in ")]"
    return "".join(out)


def _is_word(text: str) -> bool:
    """Whether the text binds as tightly as a name or a call does."""
    depth = 0
    for i, c in enumerate(text):
        if c == "(":
            depth += 1
        elif c == ")":
            depth -= 1
            if depth == 0 and i + 1 < len(text):
                return False
        elif depth == 0 and not (c.isalnum() or c in "_->."):
            return False
    return True


# ---- programs ----------------------------------------------------------------


def function_text(function: Function) -> str:
    """The printed form of a control-flow graph, the golden format of the ir tests."""
    params = ", ".join(f"{p.name}: {p.type}" for p in function.params)
    lines = [f"function {function.name}({params}) -> {function.returns}"]
    for block in function.blocks:
        lines.append(f"{block.label}:")
        lines += [f"    {_instruction(i)}" for i in block.instructions]
        lines.append(f"    {_terminator(block.terminator)}")
    return "\n".join(lines) + "\n"


def _instruction(instruction: Instruction) -> str:
    match instruction:
        case Assign():
            return f"{expr_text(instruction.target)} = {expr_text(instruction.value)}"
        case Call():
            args = ", ".join(map(expr_text, instruction.args))
            result = f"{instruction.result.name} = " if instruction.result else ""
            return f"{result}call {instruction.name}({args})"


def _terminator(terminator: Terminator) -> str:
    match terminator:
        case Jump():
            return f"jump {terminator.target}"
        case Branch():
            return (
                f"branch {expr_text(terminator.condition)} ? "
                f"{terminator.then} : {terminator.otherwise}"
            )
        case Return():
            return f"return {expr_text(terminator.value)}" if terminator.value else "return"


def expr_text(expr: Expr) -> str:
    """An expression of the program, fully parenthesised."""
    match expr:
        case Literal():
            return expr.name or str(expr.value)
        case Text():
            return expr.value
        case Local() | Global():
            return expr.name
        case Field():
            return f"{expr_text(expr.base)}->{expr.name}"
        case Index():
            return f"{expr_text(expr.base)}[{expr_text(expr.index)}]"
        case Deref():
            return f"*{expr_text(expr.base)}"
        case AddressOf():
            return f"&{expr_text(expr.target)}"
        case Unary():
            return f"{expr.op}{expr_text(expr.operand)}"
        case Binary():
            return f"({expr_text(expr.left)} {expr.op} {expr_text(expr.right)})"
        case Conditional():
            parts = map(expr_text, (expr.condition, expr.then, expr.otherwise))
            return "({} ? {} : {})".format(*parts)
        case Cast():
            return f"({expr.type}){expr_text(expr.operand)}"
        case PureCall():
            return f"{expr.name}({', '.join(map(expr_text, expr.args))})"
