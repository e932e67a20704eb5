# SPDX-License-Identifier: GPL-2.0-only
"""pycparser's tree of one function to its control-flow graph.

    if (user_mode(regs) && !fixup(regs))      .entry:
            goto out;                             branch user_mode(regs) ? .1 : .2
                                              .1:
                                                  %1 = fixup(regs)
                                                  branch %1 == 0 ? out : .2

`user_mode` is a word that only reads, so it may stand in an expression; `fixup`
has an effect, so it becomes an instruction and `&&` becomes a branch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from codegen.base.diagnostics import Refusal, RefusalCode, RefusedError
from codegen.base.spans import SourceText, Span
from codegen.frontend.nodes import ParsedFunction
from codegen.frontend.rewrite import RANGE_WORD, SAME_WORD
from codegen.frontend.syntax import c_ast
from codegen.ir import types
from codegen.ir.nodes import (
    AddressOf,
    Assign,
    Binary,
    Block,
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
    LValue,
    PureCall,
    Return,
    Terminator,
    Text,
    Unary,
)
from codegen.ir.types import CType
from codegen.ir.vocabulary import Role, Vocabulary

_COMPARISONS = frozenset({"==", "!=", "<", ">", "<=", ">="})
_LOGICAL = frozenset({"&&", "||"})
_ASSIGNS = frozenset("= |= &= ^= += -= *= /= %= <<= >>= ++ --".split())
_MOST_ELEMENTS = 64


def lower(
    function: ParsedFunction,
    source: SourceText,
    vocabulary: Vocabulary,
    constants: dict[str, int],
    defined: dict[str, CType],
    tables: Mapping[str, tuple[str, ...]] | None = None,
) -> Function:
    """The control-flow graph of a parsed function.

    `constants` are the names with a known value; `defined` maps the functions
    that the file itself defines to what they return; `tables` are its arrays of
    functions. Raises RefusedError (unreadable) for a construct that has no
    meaning here.
    """
    return _Lowering(function, source, vocabulary, constants, defined, tables or {}).run()


@dataclass
class _Open:
    """A block that is being filled; `terminator` None while control still falls through."""

    label: str
    instructions: list[Instruction] = field(default_factory=list)
    terminator: Terminator | None = None


class _Lowering:
    def __init__(
        self,
        function: ParsedFunction,
        source: SourceText,
        vocabulary: Vocabulary,
        constants: dict[str, int],
        defined: dict[str, CType],
        tables: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.function = function
        self.source = source
        self.vocabulary = vocabulary
        self.constants = constants
        self.defined = defined
        self.tables = tables
        self.pointed_at = False
        self.by_pointer: dict[str, Span] = {}
        self.blocks: list[_Open] = []
        self.block = self._start(".entry")
        self.scopes: list[dict[str, LValue]] = [{}]
        self.locals: list[Local] = []
        self.temporaries = 0
        self.breaks: list[str] = []
        self.continues: list[str] = []
        self.switches: list[dict[str, list[tuple[Expr | None, str, str]]]] = []
        self.distinct: list[tuple[Expr, ...]] = []
        self.returns = types.VOID
        self.here = function.span
        self.doubts: list[Refusal] = []
        self.arrays: set[str] = set()
        self.into: set[str] = set()
        self.indexed: dict[str, Span] = {}

    # -- the function --------------------------------------------------------

    def run(self) -> Function:
        declaration = self.function.tree.decl.type
        self.returns = self._type(declaration.type)
        params: list[Local] = []
        if declaration.args is not None:
            for number, param in enumerate(declaration.args.params):
                if isinstance(param, c_ast.EllipsisParam):
                    continue
                ptype = self._type(param.type)
                if ptype.bits == 0:
                    continue
                if isinstance(param.type, c_ast.ArrayDecl):
                    ptype = types.POINTER
                elif ptype.record and not self._gives_away(param.name):
                    if self._writes_member(param.name):
                        self._doubt(str(param.name), "is a record got by value and written")
                    # It gets the caller's object, which nobody changes meanwhile.
                    ptype = replace(types.POINTER, step=0)
                local = Local(param.name or f".arg{number}", ptype)
                params.append(local)
                self.scopes[0][local.name] = local
        if self.returns.record and self.returns.step == 0:
            self._doubt(self.function.name, "gives back a record by value")
        self._statement(self.function.tree.body)
        for name in sorted(self.into & self.indexed.keys()):
            self.here = self.indexed[name]
            self._doubt(f"{name}[…]", "is an element by way of a pointer into an array")
        for name, place in self.by_pointer.items() if self.pointed_at else ():
            self.here = place
            self._doubt(name, "calls a function of the file through a pointer")
        if self.block.terminator is None:
            self.block.terminator = Return(None, self._last_span())
        blocks = tuple(
            Block(b.label, tuple(b.instructions), b.terminator or Return(None, self._last_span()))
            for b in self.blocks
        )
        known = {b.label for b in blocks}
        for b in blocks:
            if isinstance(b.terminator, Jump) and b.terminator.target not in known:
                raise self._refuse(
                    f"goto {b.terminator.target}", "goes to a label that is not there"
                )
        return Function(
            self.function.name,
            tuple(params),
            tuple(self.locals),
            blocks,
            self.returns,
            self.function.span,
            self.source,
            distinct=tuple(self.distinct),
            is_static=self.function.is_static,
            doubts=tuple(dict.fromkeys(self.doubts)),
        )

    def _last_span(self) -> Span:
        return self.function.tokens[-1].span

    def _refuse(self, construct: str, reason: str) -> RefusedError:
        return RefusedError(self._refusal(construct, reason))

    def _refusal(self, construct: str, reason: str) -> Refusal:
        path, line = self.source.path, self.source.line(self.here.start)
        return Refusal(RefusalCode.UNREADABLE, reason, construct, path, line)

    def _doubt(self, construct: str, reason: str) -> None:
        """What would be read wrongly; it matters only where the function is followed."""
        self.doubts.append(self._refusal(construct, reason))

    # -- blocks --------------------------------------------------------------

    def _start(self, label: str) -> _Open:
        self.block = _Open(label)
        self.blocks.append(self.block)
        return self.block

    def _new_label(self) -> str:
        self.temporaries += 1
        return f".{self.temporaries}"

    def _jump(self, label: str) -> None:
        if self.block.terminator is None:
            self.block.terminator = Jump(label)

    def _continue_at(self, label: str) -> None:
        """Falls through into a new block that `label` names."""
        self._jump(label)
        self._start(label)

    def _emit(self, instruction: Instruction) -> None:
        if self.block.terminator is not None:
            self._start(self._new_label())
        self.block.instructions.append(instruction)

    def _branch(
        self,
        condition: Expr,
        then: str,
        otherwise: str,
        span: Span,
        written: bool = True,
        words: str | None = None,
    ) -> None:
        if self.block.terminator is None:
            self.block.terminator = Branch(condition, then, otherwise, span, written, words)

    def _temporary(self, ctype: CType) -> Local:
        self.temporaries += 1
        local = Local(f"%{self.temporaries}", ctype)
        self.locals.append(local)
        return local

    # -- places --------------------------------------------------------------

    def _index_of(self, node: Any) -> int:
        if node is None or node.coord is None:
            return 0
        return self.function.index(node.coord)

    def _span(self, node: Any) -> Span:
        return self.function.tokens[self._index_of(node)].span

    def _statement_span(self, node: Any) -> Span:
        """From a statement's first token to the `;` that ends it."""
        tokens = self.function.tokens
        start = i = self._index_of(node)
        depth = 0
        while i < len(tokens):
            text = tokens[i].text
            if text in "([{":
                depth += 1
            elif text in ")]}":
                depth -= 1
                if depth < 0:
                    break
            elif text == ";" and depth == 0:
                break
            i += 1
        i = min(i, len(tokens) - 1)
        return Span(
            min(tokens[start].span.start, tokens[i].span.start),
            max(tokens[i].span.end, tokens[start].span.end),
        )

    def _head_behind(self, body: Any) -> Span:
        """What stands between the parentheses behind a compound statement."""
        tokens = self.function.tokens
        end, depth = self._index_of(body), 0
        while end < len(tokens):
            depth += (tokens[end].text == "{") - (tokens[end].text == "}")
            if depth == 0:
                break
            end += 1
        return self._in_parentheses(end, body)

    def _head_span(self, node: Any) -> Span:
        """What stands between the parentheses behind the keyword at `node`."""
        return self._in_parentheses(self._index_of(node), node)

    def _in_parentheses(self, start: int, node: Any) -> Span:
        tokens = self.function.tokens
        while start < len(tokens) and tokens[start].text != "(":
            start += 1
        depth, end = 0, start
        while end < len(tokens):
            if tokens[end].text == "(":
                depth += 1
            elif tokens[end].text == ")":
                depth -= 1
                if depth == 0:
                    break
            end += 1
        inner = tokens[start + 1 : end]
        if not inner:
            return self._span(node)
        return Span(min(t.span.start for t in inner), max(t.span.end for t in inner))

    # -- types ---------------------------------------------------------------

    def declared_type(self, node: Any) -> CType:
        """The type that a declarator spells."""
        return self._type(node)

    def _type(self, node: Any) -> CType:
        match node:
            case c_ast.TypeDecl() | c_ast.Typename() | c_ast.Decl():
                return self._type(node.type)
            case c_ast.PtrDecl():
                return self._pointer(node.type)
            case c_ast.FuncDecl():
                return types.POINTER
            case c_ast.ArrayDecl():
                return types.RECORD
            case c_ast.Struct() | c_ast.Union():
                return replace(types.RECORD, step=0)
            case c_ast.Enum():
                return types.UINT
            case c_ast.IdentifierType():
                return self._named_type(node.names)
            case _:
                return types.UNKNOWN_VALUE

    def _pointer(self, node: Any) -> CType:
        """A pointer to what a declarator spells."""
        while isinstance(node, (c_ast.TypeDecl, c_ast.Typename)):
            node = node.type
        if isinstance(node, (c_ast.Struct, c_ast.Union)):
            return replace(types.POINTER, step=0)
        if isinstance(node, (c_ast.FuncDecl, c_ast.ArrayDecl)):
            return types.POINTER
        to = self._type(node)
        known = to.known and not to.record and to.bits
        return replace(types.POINTER, step=max(to.bits // 8, 1), to=to if known else None)

    def _named_type(self, names: list[str]) -> CType:
        if len(names) == 1 and names[0] in self.vocabulary.typenames:
            return self.vocabulary.typenames[names[0]]
        words = set(names)
        if "char" in words:
            return types.UCHAR if "unsigned" in words else types.CHAR
        if "short" in words:
            return types.USHORT if "unsigned" in words else types.SHORT
        if "long" in words:
            return types.ULONG if "unsigned" in words else types.LONG
        if words & {"unsigned", "signed", "int"}:
            return types.UINT if "unsigned" in words else types.INT
        return types.UNKNOWN_VALUE

    # -- statements ----------------------------------------------------------

    def _statement(self, node: Any) -> None:
        if node is None:
            return
        if node.coord is not None:
            self.here = self._span(node)
        match node:
            case c_ast.Compound():
                self.scopes.append({})
                for item in node.block_items or ():
                    self._statement(item)
                self.scopes.pop()
            case c_ast.Decl():
                self._declaration(node)
            case c_ast.DeclList():
                for item in node.decls:
                    self._statement(item)
            case c_ast.If():
                self._if(node)
            case c_ast.While():
                self._loop(None, node.cond, None, node.stmt, node, test_first=True)
            case c_ast.DoWhile():
                self._loop(None, node.cond, None, node.stmt, node, test_first=False)
            case c_ast.For():
                self._loop(node.init, node.cond, node.next, node.stmt, node, test_first=True)
            case c_ast.Switch():
                self._switch(node)
            case c_ast.Case() | c_ast.Default():
                self._case(node)
            case c_ast.Label():
                self._continue_at(node.name)
                self._statement(node.stmt)
            case c_ast.Goto():
                self._jump(node.name)
                self._start(self._new_label())
            case c_ast.Break():
                self._leave(self.breaks)
            case c_ast.Continue():
                self._leave(self.continues)
            case c_ast.Return():
                span = self._statement_span(node)
                value: Expr | None = None
                if node.expr is not None:
                    value = self._converted(node.expr, self.returns)
                    value = value if self.returns.bits else None
                if self.block.terminator is None:
                    self.block.terminator = Return(value, span)
                self._start(self._new_label())
            case c_ast.EmptyStatement() | c_ast.Pragma() | c_ast.StaticAssert():
                pass
            case c_ast.Typedef() | c_ast.Struct() | c_ast.Union() | c_ast.Enum():
                pass
            case _:
                self._effects(node)

    def _leave(self, targets: list[str]) -> None:
        if not targets:
            raise self._refuse("break", "stands outside of a loop or switch")
        self._jump(targets[-1])
        self._start(self._new_label())

    def _declaration(self, node: Any) -> None:
        name = node.name
        if name is None or "extern" in node.storage or isinstance(node.type, c_ast.FuncDecl):
            return
        ctype = self._type(node.type)
        if "static" in node.storage:
            self.scopes[-1][name] = Global(name, ctype)
            return
        unique = name
        number = 1
        taken = {local.name for local in self.locals} | {
            v.name for s in self.scopes for v in s.values() if isinstance(v, Local)
        }
        while unique in taken:
            number += 1
            unique = f"{name}.{number}"
        local = Local(unique, ctype)
        self.locals.append(local)
        self.scopes[-1][name] = local
        if isinstance(node.type, c_ast.ArrayDecl):
            self.arrays.add(unique)
        if node.init is None:
            return
        self._points_into(local, node.init)
        span = self._statement_span(node)
        match node.init:
            case c_ast.InitList(exprs=items):
                self._initialise(local, node.type, items or [], span)
            case c_ast.CompoundLiteral(type=literal, init=c_ast.InitList(exprs=items)):
                self._initialise(local, literal, items or [], span)
            case _:
                self._emit(Assign(local, self._converted(node.init, ctype), span))

    def _initialise(self, local: Local, declared: Any, items: list[Any], span: Span) -> None:
        """`{ .val = x }`: what is not named is 0, but in a union whose layout nobody knows.

        Raises RefusedError for members that only the header's order names.
        """
        while isinstance(declared, (c_ast.TypeDecl, c_ast.Typename)):
            declared = declared.type
        if isinstance(declared, c_ast.ArrayDecl):
            self._initialise_array(local, declared, items, span)
            return
        if not local.type.record and not any(isinstance(i, c_ast.NamedInitializer) for i in items):
            value = self._value(items[0]) if items else Literal(0, types.INT)
            self._emit(Assign(local, _cast(value, local.type), span))
            return
        named = []
        for item in items:
            if isinstance(item, c_ast.NamedInitializer):
                names = [n.name for n in item.name if isinstance(n, c_ast.ID)]
                if len(names) == len(item.name):
                    named.append((tuple(names), item.expr))
                    continue
            elif isinstance(value := self._value(item), Literal) and not value.value:
                continue
            raise self._refuse(
                f"{local.name} = {{ … }}", "gives members by their order, which a header knows"
            )
        given = {names[0] for names, _ in named}
        if not (isinstance(declared, c_ast.Union) and given):
            for name in self._members_of(local.name.split(".")[0]):
                if name not in given:
                    self._emit(Assign(self._member(local, (name,)), Literal(0, types.INT), span))
        for path, expr in named:
            target = self._member(local, path)
            if isinstance(expr, c_ast.InitList):
                self._initialise_member(local, path, expr, span)
            else:
                self._emit(Assign(target, self._converted(expr, target.type), span))

    def _initialise_member(
        self, local: Local, names: tuple[str, ...], items: Any, span: Span
    ) -> None:
        """`{ .outer = { .inner = x } }`."""
        for item in items.exprs or ():
            inner = tuple(n.name for n in item.name) if hasattr(item, "name") else ()
            if not inner or isinstance(item.expr, c_ast.InitList):
                raise self._refuse(
                    f"{local.name} = {{ … }}", "gives members by their order, which a header knows"
                )
            target = self._member(local, (*names, *inner))
            self._emit(Assign(target, self._converted(item.expr, target.type), span))

    def _initialise_array(self, local: Local, declared: Any, items: list[Any], span: Span) -> None:
        """`{ a, b }`: the elements in order, and 0 for the rest of a short array."""
        size = len(items)
        if isinstance(declared.dim, c_ast.Constant) and declared.dim.value.isdigit():
            size = int(declared.dim.value)
        if size > _MOST_ELEMENTS or any(
            isinstance(i, (c_ast.NamedInitializer, c_ast.InitList)) for i in items
        ):
            raise self._refuse(f"{local.name}[] = {{ … }}", "is too much of an array")
        element = self._type(declared.type)
        base = AddressOf(local, types.POINTER)
        for number in range(size):
            value = self._value(items[number]) if number < len(items) else Literal(0, types.INT)
            target = Index(base, Literal(number, types.INT), element)
            self._emit(Assign(target, _cast(value, element), span))

    def _member(self, local: Local, names: tuple[str, ...]) -> Field:
        """`local.a.b`."""
        place: LValue = local
        for name in names:
            ctype = self.vocabulary.fields.get(name, types.UNKNOWN_VALUE)
            place = Field(AddressOf(place, types.POINTER), name, ctype)
        assert isinstance(place, Field)
        return place

    def _gives_away(self, name: str | None) -> bool:
        """Whether the function takes the address of the variable itself: `&name`."""
        tokens = self.function.tokens
        return any(
            t.text == name
            and before.text == "&"
            and first.text in ("(", ",", "=", "return")
            and after.text not in (".", "[")
            for first, before, t, after in zip(
                tokens, tokens[1:], tokens[2:], tokens[3:], strict=False
            )
        )

    def _writes_member(self, name: str | None) -> bool:
        """Whether the function writes `name.member`."""
        tokens = self.function.tokens
        for i, t in enumerate(tokens):
            if t.text != name:
                continue
            end = i + 1
            while tokens[end].text == ".":
                end += 2
            if end > i + 1 and tokens[end].text in _ASSIGNS:
                return True
        return False

    def _members_of(self, name: str) -> list[str]:
        """The members of a variable that the function's own text names."""
        tokens = self.function.tokens
        found = {
            member.text: None
            for variable, dot, member in zip(tokens, tokens[1:], tokens[2:], strict=False)
            if variable.text == name and dot.text == "."
        }
        return list(found)

    def _if(self, node: Any) -> None:
        then, otherwise, done = self._new_label(), self._new_label(), self._new_label()
        span = self._head_span(node)
        self._condition(node.cond, then, otherwise if node.iffalse else done, span)
        self._start(then)
        self._statement(node.iftrue)
        self._jump(done)
        if node.iffalse is not None:
            self._start(otherwise)
            self._statement(node.iffalse)
            self._jump(done)
        self._start(done)

    def _loop(
        self, init: Any, cond: Any, step: Any, body: Any, node: Any, *, test_first: bool
    ) -> None:
        self.scopes.append({})
        if init is not None:
            self._statement(init)
        test, top, again, done = (self._new_label() for _ in range(4))
        self._jump(test if test_first else top)
        self._start(top)
        self.breaks.append(done)
        self.continues.append(again)
        self._statement(body)
        self.breaks.pop()
        self.continues.pop()
        self._continue_at(again)
        if step is not None:
            self._effects(step)
        self._continue_at(test)
        if cond is None:
            self._jump(top)
        else:
            match node:
                case c_ast.While():
                    span, written = self._head_span(node), True
                case c_ast.DoWhile() if isinstance(body, c_ast.Compound):
                    span, written = self._head_behind(body), True
                case _:
                    span, written = self._span(cond), False
            self._condition(cond, top, done, span, written)
        self._start(done)
        self.scopes.pop()

    def _switch(self, node: Any) -> None:
        span = self._head_span(node)
        value = self._value(node.cond)
        subject = self._temporary(types.promote(value.type))
        self._emit(Assign(subject, _cast(value, subject.type), span))
        head, done = self.block, self._new_label()
        cases: list[tuple[Expr | None, str, str]] = []
        asked = " ".join(self.source.slice(span).split())
        if not asked.replace("_", "a").isalnum() and not _is_one_call(asked):
            asked = f"({asked})"
        self.switches.append({"cases": cases})
        self.breaks.append(done)
        self._start(self._new_label())
        self._statement(node.stmt)
        self._jump(done)
        self.breaks.pop()
        self.switches.pop()
        plain = (c for c, _, _ in cases if c is not None and not isinstance(c, PureCall))
        self.distinct.append(tuple(plain))
        default = next((label for value_, label, _ in cases if value_ is None), done)
        self.block = head
        for constant, label, written in cases:
            if constant is None:
                continue
            following = self._new_label()
            match constant:
                case PureCall(name=name, args=(low, high)) if name == RANGE_WORD:
                    above, below = (
                        self._binary(op, subject, end) for op, end in ((">=", low), ("<=", high))
                    )
                    test: Expr = Binary("&&", above, below, types.INT)
                    ends = written.split("...")
                    words = f"{asked} >= {ends[0].strip()} && {asked} <= {ends[-1].strip()}"
                case _:
                    test = self._binary("==", subject, constant)
                    words = f"{asked} == {written}"
            self._branch(test, label, following, span, written=False, words=words)
            self._insert_after(head, following)
            head = self.block
        self._jump(default)
        self._start(done)

    def _insert_after(self, block: _Open, label: str) -> None:
        self.block = _Open(label)
        self.blocks.insert(self.blocks.index(block) + 1, self.block)

    def _case(self, node: Any) -> None:
        if not self.switches:
            raise self._refuse("case", "stands outside of a switch")
        label = self._new_label()
        constant: Expr | None = None
        if isinstance(node, c_ast.Case):
            match node.expr:
                case c_ast.FuncCall(name=c_ast.ID(name=word)) if word == RANGE_WORD:
                    low, high = (self._value(n) for n in node.expr.args.exprs)
                    constant = PureCall(RANGE_WORD, (low, high), types.INT)
                case _:
                    constant = self._value(node.expr)
        self.switches[-1]["cases"].append((constant, label, self._case_words(node)))
        self._continue_at(label)
        for item in node.stmts or ():
            self._statement(item)

    def _case_words(self, node: Any) -> str:
        """What stands between `case` and `:`, a macro by its name."""
        if isinstance(node, c_ast.Default):
            return ""
        tokens = self.function.tokens
        first = self._index_of(node.expr)
        while first and tokens[first - 1].text != "case":
            first -= 1
        end = first
        while end + 1 < len(tokens) and tokens[end + 1].text != ":":
            end += 1
        spans = [t.span for t in tokens[first : end + 1]]
        written = Span(min(s.start for s in spans), max(s.end for s in spans))
        return " ".join(self.source.slice(written).split())

    # -- conditions ----------------------------------------------------------

    def _condition(
        self, node: Any, then: str, otherwise: str, span: Span, written: bool = True
    ) -> None:
        """Branches on a condition, operand by operand where an operand has an effect."""
        if not self._pure(node):
            match node:
                case c_ast.BinaryOp(op="&&"):
                    middle = self._new_label()
                    self._condition(node.left, middle, otherwise, span, written=False)
                    self._start(middle)
                    self._condition(node.right, then, otherwise, span, written=False)
                    return
                case c_ast.BinaryOp(op="||"):
                    middle = self._new_label()
                    self._condition(node.left, then, middle, span, written=False)
                    self._start(middle)
                    self._condition(node.right, then, otherwise, span, written=False)
                    return
                case c_ast.UnaryOp(op="!"):
                    self._condition(node.expr, otherwise, then, span, written=False)
                    return
        value = self._value(node)
        self._branch(value, then, otherwise, span, written)

    def _pure(self, node: Any) -> bool:
        """Whether evaluating the expression has no effect of its own."""
        match node:
            case c_ast.Assignment() | c_ast.Compound():
                return False
            case c_ast.UnaryOp(op="sizeof" | "_Alignof"):
                return True
            case c_ast.UnaryOp():
                return node.op not in ("++", "--", "p++", "p--") and self._pure(node.expr)
            case c_ast.FuncCall():
                name = node.name.name if isinstance(node.name, c_ast.ID) else ""
                if name in self.defined or not self.vocabulary.is_reading(name):
                    return False
                return all(self._pure(a) for a in (node.args.exprs if node.args else ()))
            case c_ast.BinaryOp():
                return self._pure(node.left) and self._pure(node.right)
            case c_ast.TernaryOp():
                return all(self._pure(n) for n in (node.cond, node.iftrue, node.iffalse))
            case c_ast.Cast():
                return self._pure(node.expr)
            case c_ast.StructRef():
                return self._pure(node.name)
            case c_ast.ArrayRef():
                return self._pure(node.name) and self._pure(node.subscript)
            case c_ast.ExprList():
                return all(self._pure(n) for n in node.exprs)
            case _:
                return True

    # -- expressions ---------------------------------------------------------

    def _effects(self, node: Any) -> None:
        """Evaluates an expression statement."""
        match node:
            case c_ast.FuncCall():
                self._call(node, wanted=False)
            case c_ast.ExprList():
                for item in node.exprs:
                    self._effects(item)
            case c_ast.Cast():
                self._effects(node.expr)
            case _:
                self._value(node)

    def _value(self, node: Any) -> Expr:
        match node:
            case c_ast.Constant():
                return self._constant(node)
            case c_ast.ID():
                return self._name(node.name)
            case c_ast.StructRef():
                return self._field(node)
            case c_ast.ArrayRef():
                base = self._pointer_to(node.name)
                if isinstance(base, Local):
                    self.indexed.setdefault(base.name, self._span(node))
                return Index(
                    base, self._value(node.subscript), _pointee(node.name, base, self._type)
                )
            case c_ast.UnaryOp():
                return self._unary(node)
            case c_ast.BinaryOp():
                return self._binary_node(node)
            case c_ast.TernaryOp():
                return self._ternary(node)
            case c_ast.Assignment():
                return self._assign(node)
            case c_ast.FuncCall():
                return self._call(node, wanted=True)
            case c_ast.Cast():
                ctype = self._type(node.to_type)
                return _cast(self._value(node.expr), ctype)
            case c_ast.ExprList():
                for item in node.exprs[:-1]:
                    self._effects(item)
                return self._value(node.exprs[-1])
            case c_ast.Compound():
                return self._statement_expression(node)
            case c_ast.CompoundLiteral() | c_ast.InitList():
                return Text("{}", types.RECORD)
            case c_ast.Typename():
                return Text("type", types.UNKNOWN_VALUE)
            case _:
                raise self._refuse(type(node).__name__, "is an expression that is not known")

    def _constant(self, node: Any) -> Expr:
        if node.type == "string":
            return Text(node.value, types.POINTER)
        if node.type == "char":
            body = node.value[1:-1]
            code = ord(body.encode("latin-1").decode("unicode_escape")[:1] or "\0")
            return Literal(code, types.INT)
        text = node.value.rstrip("uUlL")
        suffix = node.value[len(text) :].lower()
        try:
            number = int(text, 8) if text.startswith("0") and text.isdigit() else int(text, 0)
        except ValueError:
            raise self._refuse(node.value, "is a constant that is not an integer") from None
        return Literal(number, _literal_type(number, suffix, text.startswith("0")))

    def _name(self, name: str) -> Expr:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.constants:
            value = self.constants[name]
            if name == "NULL":
                return Literal(0, types.POINTER, name)
            return Literal(value, _literal_type(value, "", True), name)
        self.pointed_at = self.pointed_at or name in self.defined
        ctype = types.POINTER if name == "current" else types.UNKNOWN_VALUE
        return Global(name, ctype)

    def _field(self, node: Any) -> Expr:
        name = node.field.name
        base = self._value(node.name) if node.type == "->" else self._pointer_to(node.name)
        return Field(base, name, self.vocabulary.fields.get(name, types.UNKNOWN_VALUE))

    def _pointer_to(self, node: Any) -> Expr:
        """The address of an object (for `.` and `[]`), or a pointer's value."""
        value = self._value(node)
        match value:
            case Local(type=t) | Global(type=t) | Field(type=t) | Index(type=t) | Deref(type=t):
                if t.pointer:
                    return value
                if isinstance(value, Deref):
                    return value.base
                return AddressOf(value, types.POINTER)
            case _:
                return value

    def _unary(self, node: Any) -> Expr:
        match node.op:
            case "sizeof" | "_Alignof":
                return self._sizeof(node.expr)
            case "&":
                value = self._value(node.expr)
                match value:
                    case Local() | Global() | Field() | Index():
                        return AddressOf(value, types.POINTER)
                    case Deref():
                        return value.base
                    case _:
                        raise self._refuse("&", "takes the address of a value")
            case "*":
                value = self._value(node.expr)
                return Deref(value, _pointee(node.expr, value, self._type))
            case "++" | "--" | "p++" | "p--":
                target = self._lvalue(node.expr)
                before = self._temporary(target.type)
                span = self._statement_span(node)
                self._emit(Assign(before, target, span))
                step = Literal(1, types.INT)
                after = self._binary("+" if "+" in node.op else "-", before, step)
                self._emit(Assign(target, _cast(after, target.type), span))
                return before if node.op.startswith("p") else target
            case "+":
                return self._value(node.expr)
            case "!":
                if not self._pure(node.expr):
                    return self._by_branches(node)
                return Unary("!", self._value(node.expr), types.INT)
            case "-" | "~":
                value = self._value(node.expr)
                return Unary(node.op, value, types.promote(value.type))
            case _:
                raise self._refuse(node.op, "is an operator that is not known")

    def _sizeof(self, node: Any) -> Expr:
        ctype = self._type(node) if isinstance(node, c_ast.Typename) else types.UNKNOWN_VALUE
        if isinstance(node, c_ast.Typename) and ctype.known and not ctype.record and ctype.bits:
            return Literal(ctype.bits // 8, types.ULONG)
        return Global("sizeof", types.ULONG)

    def _binary_node(self, node: Any) -> Expr:
        if node.op in _LOGICAL:
            if not self._pure(node):
                return self._by_branches(node)
            return Binary(node.op, self._value(node.left), self._value(node.right), types.INT)
        left, right = self._value(node.left), self._value(node.right)
        if node.op == "+" and right.type.pointer and not left.type.pointer:
            node, left, right = c_ast.BinaryOp("+", node.right, node.left), right, left
        if isinstance(node.left, c_ast.Cast) and left.type.pointer:
            # A cast from one pointer to another is none, but for what `+ 1` means.
            return self._binary(node.op, left, right, self._type(node.left.to_type).step)
        return self._binary(node.op, left, right)

    def _converted(self, node: Any, ctype: CType) -> Expr:
        """The value of an expression that is assigned to this type.

        `table + i` that becomes a pointer to a record is an element of a table
        that the text does not declare: `&table[i]`.
        """
        if ctype.pointer and ctype.step == 0 and isinstance(node, c_ast.BinaryOp):
            base = self._value(node.left) if isinstance(node.left, c_ast.ID) else None
            if node.op == "+" and isinstance(base, Global) and not base.type.known:
                return _element(AddressOf(base, types.POINTER), self._value(node.right))
        return _cast(self._value(node), ctype)

    def _points_into(self, target: LValue, value: Any) -> None:
        """Notes `p = &table[i]` and `p = array`: what `p[1]` then is, nobody here knows."""
        if not isinstance(target, Local) or not target.type.pointer:
            return
        match value:
            case c_ast.UnaryOp(op="&", expr=c_ast.ArrayRef(subscript=at)):
                if not (isinstance(at, c_ast.Constant) and at.value == "0"):
                    self.into.add(target.name)
            case c_ast.ID(name=name):
                known = self._name(name)
                if isinstance(known, Local) and known.name in self.arrays:
                    self.into.add(target.name)
            case c_ast.BinaryOp(op="+" | "-"):
                self.into.add(target.name)
            case _:
                pass

    def _binary(self, op: str, left: Expr, right: Expr, step: int | None = None) -> Expr:
        if op in _COMPARISONS:
            left, right = _signed_comparison(op, left, right)
            return Binary(op, left, right, types.INT)
        if op in ("<<", ">>"):
            ctype = types.promote(left.type)
        elif op in ("+", "-") and left.type.pointer:
            ctype = left.type
            step = left.type.step if step is None else step
            if right.type.pointer:
                self._doubt(op, "is the difference of two pointers")
                return _distance(left, right, step)
            if step == 0:
                if isinstance(left, Local):
                    self._doubt(
                        left.name, "is a pointer to a record that is moved, or set against another"
                    )
                return _element(left, right if op == "+" else Unary("-", right, types.LONG))
            if step > 1:
                right = Binary("*", _cast(right, types.LONG), Literal(step, types.LONG), types.LONG)
        else:
            for side in (left, right):
                if isinstance(side, Local) and side.name in self.arrays:
                    self._doubt(side.name, "is an array whose address is worked with")
            ctype = types.common(left.type, right.type)
        return Binary(op, left, right, ctype)

    def _by_branches(self, node: Any) -> Expr:
        """The value of a logical expression whose operands have effects."""
        result = self._temporary(types.INT)
        then, otherwise, done = self._new_label(), self._new_label(), self._new_label()
        span = self._span(node)
        self._condition(node, then, otherwise, span, written=False)
        for label, number in ((then, 1), (otherwise, 0)):
            self._start(label)
            self._emit(Assign(result, Literal(number, types.INT), span))
            self._jump(done)
        self._start(done)
        return result

    def _ternary(self, node: Any) -> Expr:
        same = isinstance(node.iftrue, c_ast.ID) and node.iftrue.name == SAME_WORD
        if same:
            condition = self._value(node.cond)
            if not isinstance(condition, Local):
                keep = self._temporary(condition.type)
                self._emit(Assign(keep, condition, self._span(node)))
                condition = keep
            if self._pure(node.iffalse):
                otherwise = self._value(node.iffalse)
                return Conditional(
                    condition, condition, otherwise, _joined(condition.type, otherwise.type)
                )
        elif self._pure(node):
            condition = self._value(node.cond)
            then, otherwise = self._value(node.iftrue), self._value(node.iffalse)
            return Conditional(condition, then, otherwise, _joined(then.type, otherwise.type))
        labels = [self._new_label() for _ in range(3)]
        span = self._span(node)
        if same:
            self._branch(condition, labels[0], labels[1], span, written=False)
        else:
            self._condition(node.cond, labels[0], labels[1], span, written=False)
        self._start(labels[0])
        then = condition if same else self._value(node.iftrue)
        then_block = self.block
        self._start(labels[1])
        otherwise = self._value(node.iffalse)
        result = self._temporary(_joined(then.type, otherwise.type))
        self._emit(Assign(result, _cast(otherwise, result.type), span))
        self._jump(labels[2])
        then_block.instructions.append(Assign(result, _cast(then, result.type), span))
        if then_block.terminator is None:
            then_block.terminator = Jump(labels[2])
        self._start(labels[2])
        return result

    def _lvalue(self, node: Any) -> LValue:
        value = self._value(node)
        match value:
            case Local() | Global() | Field() | Index() | Deref():
                return value
            case Cast(operand=Local() | Global() | Field() | Index() | Deref() as inner):
                return inner
            case PureCall():
                # `pgd_val(*pgd) = …`, `pte_val(entry) &= …`: an accessor that is an lvalue.
                return Deref(
                    PureCall(f"&{value.name}", value.args, types.POINTER), types.UNKNOWN_VALUE
                )
            case _:
                raise self._refuse("=", "assigns to something that is not an object")

    def _assign(self, node: Any) -> Expr:
        span = self._statement_span(node)
        if isinstance(node.lvalue, c_ast.FuncCall):
            args = tuple(
                self._value(a) for a in (node.lvalue.args.exprs if node.lvalue.args else ())
            )
            name = node.lvalue.name.name if isinstance(node.lvalue.name, c_ast.ID) else "accessor"
            target: LValue = Deref(PureCall(f"&{name}", args, types.POINTER), types.UNKNOWN_VALUE)
        else:
            target = self._lvalue(node.lvalue)
        if node.op != "=":
            value = self._binary(node.op[:-1], target, self._value(node.rvalue))
        elif isinstance(target, Local) and isinstance(node.rvalue, c_ast.CompoundLiteral):
            literal = node.rvalue
            self._initialise(target, literal.type, literal.init.exprs or [], span)
            return target
        else:
            self._points_into(target, node.rvalue)
            value = self._converted(node.rvalue, target.type)
        if target.type.known or not isinstance(target, (Field, Global, Index, Deref)):
            value = _cast(value, target.type)
        else:
            value = _cast(value, types.UNKNOWN_VALUE)
        self._emit(Assign(target, value, span))
        return target

    def _call(self, node: Any, *, wanted: bool) -> Expr:
        span = self._statement_span(node)
        called = node.name
        while isinstance(called, c_ast.UnaryOp) and called.op == "*":
            called = called.expr
        match called:
            case c_ast.ID(name=word) if not self._is_variable(word):
                name = word
            case c_ast.ArrayRef(name=c_ast.ID(name=table)) if table in self.tables:
                return self._call_of_table(node, called, self.tables[table], wanted, span)
            case _:
                name = "(*" + _spelled(node.name) + ")"
                self.by_pointer.setdefault(name, span)
        args = tuple(self._argument(a) for a in (node.args.exprs if node.args else ()))
        if name not in self.defined and self.vocabulary.role(name) is Role.FAULT:
            args = _without_mm(args)
            if len(args) < 3:
                self._doubt(name, "is not given a VMA, an address and flags")
        ctype = self.defined.get(name) or self.vocabulary.result_type(name)
        if name not in self.defined and self.vocabulary.is_reading(name):
            return PureCall(name, args, ctype)
        result = None
        if wanted:
            if ctype.bits == 0:
                ctype = types.UNKNOWN_RESULT
            result = self._temporary(ctype)
        self._emit(Call(result, name, args, span))
        return result if result is not None else Literal(0, types.INT)

    def _call_of_table(
        self, node: Any, element: Any, table: tuple[str, ...], wanted: bool, span: Span
    ) -> Expr:
        """`table[i](x)`: a call of each function of the table, behind `i == 0`, `i == 1` ..."""
        index = self._value(element.subscript)
        args = tuple(self._argument(a) for a in (node.args.exprs if node.args else ()))
        ctype = self.defined.get(table[0], types.UNKNOWN_RESULT)
        result = self._temporary(ctype if ctype.bits else types.UNKNOWN_RESULT) if wanted else None
        done = self._new_label()
        for number, name in enumerate(table):
            if number < len(table) - 1:
                here, following = self._new_label(), self._new_label()
                test = self._binary("==", index, Literal(number, types.INT))
                self._branch(test, here, following, span, written=False)
                self._start(here)
            self._emit(Call(result, name, args, span))
            self._jump(done)
            if number < len(table) - 1:
                self._start(following)
        self._start(done)
        return result if result is not None else Literal(0, types.INT)

    def _is_variable(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def _argument(self, node: Any) -> Expr:
        value = self._value(node)
        if isinstance(value, (Local, Global)) and value.type.record:
            return AddressOf(value, types.POINTER)
        return value

    def _statement_expression(self, node: Any) -> Expr:
        self.scopes.append({})
        items = node.block_items or []
        for item in items[:-1]:
            self._statement(item)
        value: Expr = Literal(0, types.INT)
        if items:
            value = self._value(items[-1])
        self.scopes.pop()
        return value


def _without_mm(args: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """The arguments of handle_mm_fault() as today's order has them: VMA, address, flags.

    Up to 4.7 the mm came first, and the VMA (a pointer, where an address is a
    number) second (include/linux/mm.h).
    """
    old = len(args) == 4 and args[1].type.pointer and not args[3].type.pointer
    return args[1:] if old else args


def _is_one_call(text: str) -> bool:
    """Whether C text is one call or one bracketed expression: `f(x)`, `(x)`, not `a & (b)`."""
    name, _, rest = text.partition("(")
    if not text.endswith(")") or (name and not name.isidentifier()):
        return False
    depth = 1
    for c in rest[:-1]:
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return False
    return True


def _literal_type(number: int, suffix: str, unsigned_allowed: bool) -> CType:
    """C11 6.4.4.1: the first type of the list in which the number fits."""
    choices = [types.INT, types.UINT, types.LONG, types.ULONG]
    for ctype in choices:
        if "u" in suffix and ctype.signed:
            continue
        if "l" in suffix and ctype.bits < types.LONG_BITS:
            continue
        if not ctype.signed and "u" not in suffix and not unsigned_allowed:
            continue
        limit = 1 << (ctype.bits - (1 if ctype.signed else 0))
        if number < limit:
            return ctype
    return types.ULONG


def _pointee(node: Any, pointer: Expr, type_of: Callable[[Any], CType]) -> CType:
    """What `*node` is; a cast from one pointer to another is none, but for that."""
    ctype = type_of(node.to_type) if isinstance(node, c_ast.Cast) else pointer.type
    return ctype.to or types.UNKNOWN_VALUE


def _element(base: Expr, index: Expr) -> Expr:
    """`base + index`, where what base points to has a size that nobody knows."""
    return AddressOf(Index(base, index, types.UNKNOWN_VALUE), base.type)


def _distance(left: Expr, right: Expr, step: int) -> Expr:
    """`left - right` of two pointers, in elements."""
    apart = Cast(Binary("-", left, right, types.ULONG), types.LONG)
    if step == 1:
        return apart
    size = Literal(step, types.LONG) if step else Cast(Global("sizeof", types.ULONG), types.LONG)
    return Binary("/", apart, size, types.LONG)


def _joined(a: CType, b: CType) -> CType:
    """The type of `c ? a : b`."""
    if a.pointer and b.pointer:
        return a if a.to is not None or a.step != 1 else b
    if a.pointer or b.pointer:
        return a if a.pointer else b
    if a.record and b.record:
        return a
    return types.common(a, b)


def _cast(value: Expr, ctype: CType) -> Expr:
    if ctype.bits == 0 or ctype.record or value.type == ctype:
        return value
    if isinstance(value, Literal) and not ctype.boolean:
        bits = value.value & ((1 << ctype.bits) - 1)
        if ctype.signed and bits >> (ctype.bits - 1):
            bits -= 1 << ctype.bits
        return Literal(bits, ctype, value.name)
    return Cast(value, ctype)


def _signed_comparison(op: str, left: Expr, right: Expr) -> tuple[Expr, Expr]:
    """A comparison of a name of unknown type with 0 or a negative number means a signed one.

    `cause < 0` of a header's field is never meant to be always false.
    """
    for one, other in ((left, right), (right, left)):
        negative = isinstance(other, Unary) and other.op == "-"
        zero = isinstance(other, Literal) and other.value == 0 and not other.type.pointer
        below = op in ("<", ">=") if one is left else op in (">", "<=")
        if not one.type.known and not one.type.pointer and (negative or (zero and below)):
            signed = Cast(one, types.LONG)
            return (signed, right) if one is left else (left, signed)
    return left, right


def _spelled(node: Any) -> str:
    match node:
        case c_ast.ID():
            return str(node.name)
        case c_ast.StructRef():
            return f"{_spelled(node.name)}{node.type}{node.field.name}"
        case c_ast.ArrayRef():
            return f"{_spelled(node.name)}[]"
        case c_ast.UnaryOp():
            return f"{node.op}{_spelled(node.expr)}"
        case _:
            return "expression"


def return_type(function: ParsedFunction, vocabulary: Vocabulary) -> CType:
    """What a parsed function returns, by its declaration alone."""
    lowering = _Lowering(function, SourceText("", ""), vocabulary, {}, {}, {})
    return lowering.declared_type(function.tree.decl.type.type)
