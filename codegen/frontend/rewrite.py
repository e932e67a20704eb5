# SPDX-License-Identifier: GPL-2.0-only
"""Kernel C to the C that pycparser reads, token by token, positions kept.

Each rewrite stands for a construct that pycparser does not know:

    static int __kprobes do_page_fault(unsigned long far)
        -> static int do_page_fault(unsigned long far)
    DEFINE_INTERRUPT_HANDLER(do_page_fault) {
        -> void do_page_fault(void) {
    printk(KERN_ALERT "x" REG_FMT "y")   -> printk("x" "y")
    static DEFINE_RATELIMIT_STATE(rs, 5 * HZ, 10);   -> static int rs;
    asm volatile("at s1e1r, %0" :: "r" (addr));      -> __asm("at s1e1r, %0", addr);
    a ?: b                               -> a ? __same : b
    f(x, , [arg] "r" (y))                -> f(x, 0, (y))
    container_of(p, struct pt_regs, regs)   -> container_of(p, "struct pt_regs", regs)
    for_each_vma(vmi, vma) {             -> while (for_each_vma(&vmi, &vma)) {
    case 2 ... 5:                        -> case __range(2, 5):

The names of types that nothing declares are inferred from where they stand.
"""

from __future__ import annotations

from codegen.frontend.nodes import Kind, Token

ASM_WORD = "__asm"
SAME_WORD = "__same"
RANGE_WORD = "__range"

_ATTRIBUTES = frozenset(
    """__user __kernel __force __iomem __percpu __rcu __kprobes __always_inline __inline __inline__
    inline noinline noinline_for_stack __noreturn asmlinkage __init __ref __refdata notrace
    nokprobe_inline noinstr __visible __must_check __maybe_unused __always_unused __used __pure
    __cold __hot __weak __sched __cpuidle __read_mostly __ro_after_init dotraplinkage
    __latent_entropy __nocfi __no_kcsan __no_sanitize_address __no_kmsan_checks __bitwise
    __extension__ register __volatile__ __meminit
    __exception __exception_irq_entry __irq_entry __lockfunc __private
    __safe __restrict __init_or_module fastcall noinline_if_stackprotector""".split()
)
_CALLED_ATTRIBUTES = frozenset(
    "__attribute__ __attribute __aligned __section __printf __acquires __releases __no_sanitize "
    "__must_hold __alias".split()
)
_ASM = frozenset({"asm", "__asm__", "__asm"})
_ASM_QUALIFIERS = frozenset({"volatile", "__volatile__", "goto", "inline"})
TYPE_WORDS = frozenset(
    """void char short int long signed unsigned float double struct union enum const volatile static
    extern _Bool typeof __typeof__""".split()
)
_STORAGE = frozenset({"static", "extern", "const", "volatile"})


def is_attribute(word: str) -> bool:
    """Whether the word says nothing about what a function does."""
    return word in _ATTRIBUTES


def is_called_attribute(word: str) -> bool:
    """The same of a word that is followed by arguments."""
    return word in _CALLED_ATTRIBUTES


def matching(tokens: list[Token], start: int) -> int:
    """The index of the bracket that closes the one at `start`; len(tokens) if none does."""
    depth = 0
    for i in range(start, len(tokens)):
        if tokens[i].text in "([{" and tokens[i].kind is Kind.PUNCTUATION:
            depth += 1
        elif tokens[i].text in ")]}" and tokens[i].kind is Kind.PUNCTUATION:
            depth -= 1
            if depth == 0:
                return i
    return len(tokens)


def rewrite(tokens: list[Token], name: str, typenames: frozenset[str]) -> list[Token]:
    """A function definition's tokens as pycparser reads them.

    `name` is the function's, `typenames` are the types known beforehand.
    """
    out = _drop_attributes(tokens)
    out = _signature(out, name, typenames)
    return _rewrite_body(out)


def _made(like: Token, text: str, kind: Kind = Kind.WORD) -> Token:
    return Token(kind, text, like.span, True)


def _drop_attributes(tokens: list[Token]) -> list[Token]:
    out: list[Token] = []
    i = 0
    while i < len(tokens):
        t = tokens[i]
        if t.kind is Kind.WORD and t.text in _CALLED_ATTRIBUTES and _text(tokens, i + 1) == "(":
            i = matching(tokens, i + 1) + 1
            continue
        if t.kind is Kind.WORD and t.text in _ATTRIBUTES and t.text not in _ASM_QUALIFIERS:
            i += 1
            continue
        out.append(t)
        i += 1
    return out


def _signature(tokens: list[Token], name: str, typenames: frozenset[str]) -> list[Token]:
    """Unknown specifiers before the name go; a definition by macro becomes a plain one."""
    where = next(i for i, t in enumerate(tokens) if t.text == name)
    body = next(i for i, t in enumerate(tokens) if t.text == "{")
    if where and tokens[where - 1].text == "(" and where < body:
        like = tokens[where]
        head = [_made(like, "void"), like, _made(like, "(", Kind.PUNCTUATION)]
        head += [_made(like, "void"), _made(like, ")", Kind.PUNCTUATION)]
        return head + tokens[body:]
    specifiers = tokens[:where]
    kept: list[Token] = []
    unknown: Token | None = None
    previous = ""
    for t in specifiers:
        if (
            t.text in TYPE_WORDS
            or t.text in typenames
            or t.text == "*"
            or previous in ("struct", "union", "enum")
        ):
            kept.append(t)
        elif t.text.endswith("_t"):
            kept.append(t)
        elif t.kind is Kind.WORD and t.text not in ("__inline__",):
            unknown = t
        previous = t.text
    if not any(t.text not in _STORAGE and t.text != "*" for t in kept):
        like = unknown or tokens[where]
        word = like if unknown is not None else _made(like, "int")
        kept.insert(0, word)
    return kept + tokens[where:]


def _text(tokens: list[Token], i: int) -> str:
    return tokens[i].text if 0 <= i < len(tokens) else ""


def _is(tokens: list[Token], i: int, kind: Kind) -> bool:
    return 0 <= i < len(tokens) and tokens[i].kind is kind


def _rewrite_body(tokens: list[Token]) -> list[Token]:
    out: list[Token] = []
    body = next(i for i, t in enumerate(tokens) if t.text == "{")
    i = 0
    while i < len(tokens):
        t = tokens[i]
        if t.text == "extern" and i > body:
            while _text(tokens, i) not in (";", ""):
                i += 1
            continue
        if t.kind is Kind.WORD and t.text in _ASM:
            start = i + 1
            while _text(tokens, start) in _ASM_QUALIFIERS:
                start += 1
            if _text(tokens, start) == "(":
                end = matching(tokens, start)
                out += _asm(t, tokens[start + 1 : end])
                i = end + 1
                continue
        if t.kind is Kind.WORD and (
            _is(tokens, i + 1, Kind.STRING)
            or (
                (_is(tokens, i - 1, Kind.STRING) and _text(tokens, i + 1) in (")", ","))
                or (_is(tokens, i - 1, Kind.STRING) and _is(tokens, i + 1, Kind.WORD))
            )
        ):
            i += 1
            continue
        if (
            t.text == "static"
            and _is(tokens, i + 1, Kind.WORD)
            and _text(tokens, i + 2) == "("
            and _is(tokens, i + 3, Kind.WORD)
        ):
            end = matching(tokens, i + 2)
            if _text(tokens, end + 1) == ";":
                out += [t, _made(t, "int"), tokens[i + 3]]
                i = end + 1
                continue
        if i > body and (end := _loop_head(tokens, i)):
            # The macro may write what it is given to walk with.
            out += [_made(t, "while"), _made(t, "(", Kind.PUNCTUATION), t, tokens[i + 1]]
            for at in range(i + 2, end):
                alone = tokens[at - 1].text in ("(", ",") and tokens[at + 1].text in (",", ")")
                if alone and tokens[at].kind is Kind.WORD:
                    out.append(_made(tokens[at], "&", Kind.PUNCTUATION))
                out.append(tokens[at])
            out += [tokens[end], _made(t, ")", Kind.PUNCTUATION)]
            i = end + 1
            continue
        if t.text == "?" and _text(tokens, i + 1) == ":":
            out += [t, _made(t, SAME_WORD)]
            i += 1
            continue
        if t.text == "case" and (dots := _dots(tokens, i + 1)):
            end = next(j for j in range(dots, len(tokens)) if tokens[j].text == ":")
            low, high = tokens[i + 1 : dots], tokens[dots + 1 : end]
            like = tokens[dots]
            out += [t, _made(like, RANGE_WORD), _made(like, "(", Kind.PUNCTUATION), *low]
            out += [_made(like, ",", Kind.PUNCTUATION), *high, _made(like, ")", Kind.PUNCTUATION)]
            i = end
            continue
        if t.text == "," and i > body and (end := _type_argument(tokens, i + 1)):
            spelled = " ".join(a.text for a in tokens[i + 1 : end])
            out += [t, _made(tokens[i + 1], f'"{spelled}"', Kind.STRING)]
            i = end
            continue
        if t.text == "," and _text(tokens, i + 1) == ",":
            out += [t, _made(t, "0", Kind.NUMBER)]
            i += 1
            continue
        if (
            t.text == "["
            and _text(out, len(out) - 1) == ","
            and _is(tokens, i + 1, Kind.WORD)
            and _text(tokens, i + 2) == "]"
            and _is(tokens, i + 3, Kind.STRING)
        ):
            i += 4
            continue
        out.append(t)
        i += 1
    return out


_HEADED = frozenset("if for while switch return sizeof else do goto case".split())


def _loop_head(tokens: list[Token], i: int) -> int:
    """The closing bracket of a macro that heads a block (`for_each_vma(vmi, vma) {`); 0 if none."""
    if not _is(tokens, i, Kind.WORD) or tokens[i].text in _HEADED or _text(tokens, i + 1) != "(":
        return 0
    if _text(tokens, i - 1) not in (";", "{", "}", ")", ":", "else"):
        return 0
    end = matching(tokens, i + 1)
    heads = _text(tokens, end + 1) == "{" or (
        "for_each" in tokens[i].text and _is(tokens, end + 1, Kind.WORD)
    )
    return end if heads else 0


def _dots(tokens: list[Token], i: int) -> int:
    """Where the `...` of a case label that begins at `i` is; 0 if it is no range."""
    while _text(tokens, i) not in (":", ";", "{", ""):
        if tokens[i].text == "...":
            return i
        i += 1
    return 0


def _type_argument(tokens: list[Token], i: int) -> int:
    """Where a macro's argument that is a type ends; 0 if it is none. A parameter has a name."""
    if _text(tokens, i) not in ("struct", "union", "enum"):
        return 0
    end = i + 2
    while _text(tokens, end) == "*":
        end += 1
    return end if _text(tokens, end) in (",", ")") else 0


def _asm(word: Token, inside: list[Token]) -> list[Token]:
    """`asm(template : outputs : inputs : clobbers)` as a call that may write its outputs."""
    sections: list[list[list[Token]]] = [[[]]]
    depth = 0
    for t in inside:
        if t.text in ("(", "["):
            depth += 1
        elif t.text in (")", "]"):
            depth -= 1
        if depth == 0 and t.text in (":", "::"):
            sections.append([[]])
            if t.text == "::":
                sections.append([[]])
        elif depth == 0 and t.text == ",":
            sections[-1].append([])
        else:
            sections[-1][-1].append(t)

    def operand(tokens: list[Token]) -> list[Token]:
        for i, t in enumerate(tokens):
            if t.text == "(":
                return tokens[i : matching(tokens, i) + 1]
        return []

    def punctuation(text: str) -> Token:
        return _made(word, text, Kind.PUNCTUATION)

    template = [t for t in sections[0][0] if t.kind is Kind.STRING] or [
        _made(word, '""', Kind.STRING)
    ]
    out = [_made(word, ASM_WORD), punctuation("("), *template]
    for number, section in enumerate(sections[1:3]):
        for tokens in section:
            if value := operand(tokens):
                out.append(punctuation(","))
                if number == 0:
                    out.append(punctuation("&"))
                out += value
    return [*out, punctuation(")")]


# ---- the names of types ------------------------------------------------------

_STATEMENT_STARTS = frozenset({";", "{", "}", "(", ",", "const", "static", "struct"})


def inferred_types(tokens: list[Token], known: frozenset[str]) -> set[str]:
    """Words that can only be the names of types, from where they stand.

    `T x` at the start of a declaration or parameter, `T *x` at that of a
    declaration, `(T *)` in a cast, and any known name or `*_t` at all.
    """
    found: set[str] = set()
    for i, t in enumerate(tokens):
        if t.kind is not Kind.WORD or t.text in TYPE_WORDS:
            continue
        before, after = _text(tokens, i - 1), _text(tokens, i + 1)
        if before in ("struct", "union", "enum", ".", "->", "goto"):
            continue
        if t.text in known:
            found.add(t.text)
        elif (
            before in _STATEMENT_STARTS
            and _is(tokens, i + 1, Kind.WORD)
            and after not in TYPE_WORDS
            and t.text not in _STATEMENT_WORDS
        ):
            found.add(t.text)
        elif (
            before in (";", "{", "}", "const")
            and t.text not in _STATEMENT_WORDS
            and after == "*"
            and _pointer_declared(tokens, i + 1)
        ):
            found.add(t.text)
        elif before == "(" and after == "*" and _pointer_cast(tokens, i + 1):
            found.add(t.text)
        elif before == "(" and after == ")" and t.text.endswith("_t"):
            found.add(t.text)
    return found


_STATEMENT_WORDS = frozenset(
    "return goto if else while do for switch case default break continue sizeof".split()
)


def _pointer_declared(tokens: list[Token], i: int) -> bool:
    """`*x;`, `*x =`: behind a word at a statement's start no product, which nobody would want."""
    while _text(tokens, i) in ("*", "const", "volatile"):
        i += 1
    return _is(tokens, i, Kind.WORD) and _text(tokens, i + 1) in (";", "=", ",", "[")


def _pointer_cast(tokens: list[Token], i: int) -> bool:
    while _text(tokens, i) in ("*", "const", "volatile"):
        i += 1
    return _text(tokens, i) == ")"
