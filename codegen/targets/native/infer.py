# SPDX-License-Identifier: GPL-2.0-only
"""The types of what the text names but does not declare, from how it is used.

    struct task_struct *tsk = current;      struct task_struct {
    struct mm_struct *mm = tsk->mm;     ->      struct mm_struct *mm;
    tsk->thread.fault_address = address;        struct { unsigned long fault_address; } thread;
                                            };

What nothing tells is an `unsigned long`, as in the program (ir/types.py). The
inference unifies what is assigned, compared or returned with what it meets, as
far as pointers and records go; integers convert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from codegen.base.spans import Span
from codegen.frontend.nodes import ParsedFunction
from codegen.frontend.rewrite import SAME_WORD
from codegen.frontend.syntax import c_ast
from codegen.ir.types import CType
from codegen.targets.native.shapes import (
    Form,
    Known,
    Shape,
    UnionStart,
    indexed,
    member,
    pointee,
    scalar_text,
    unify,
)


def infer(
    functions: list[ParsedFunction],
    signatures: list[ParsedFunction],
    typenames: Mapping[str, CType],
    constants: frozenset[str],
    writers: Callable[[str], bool],
) -> Known:
    """The types behind the names of `functions`; of `signatures` only the declarations count.

    `typenames` are the types known beforehand, `constants` the names that are
    numbers; `writers` tells which calls may write what they get the address of.
    """
    run = _Inference(typenames, constants, writers)
    for function in (*functions, *signatures):
        run.declare(function)
    for function in functions:
        run.function(function)
    return Known(
        run.tags,
        run.typedefs,
        run.globals,
        run.results,
        run.params,
        run.returns,
        frozenset(run.addresses),
        frozenset(run.enums),
        run.edits,
        tuple(run.unions),
    )


class _Inference:
    def __init__(
        self,
        typenames: Mapping[str, CType],
        constants: frozenset[str],
        writers: Callable[[str], bool],
    ) -> None:
        self.typenames = typenames
        self.constants = constants
        self.tags: dict[str, Shape] = {}
        self.typedefs: dict[str, Shape] = {}
        self.globals: dict[str, Shape] = {}
        self.results: dict[str, Shape] = {}
        self.params: dict[str, tuple[tuple[str, Shape], ...]] = {}
        self.returns: dict[str, Shape] = {}
        self.addresses: set[str] = set()
        self.enums: set[str] = set()
        self.edits: dict[str, dict[Span, str]] = {}
        self.unions: list[UnionStart] = []
        self.parsed: ParsedFunction | None = None
        self.writers = writers
        self.scopes: list[dict[str, Shape]] = []
        self.here: Shape = Shape()
        task = self._tag("struct task_struct")
        self.globals["current"] = Shape(Form.POINTER, to=task)
        vma = self._tag("struct vm_area_struct")
        vma.members["vm_flags"] = Shape(Form.SCALAR)
        for name in ("find_vma", "lock_mm_and_find_vma", "lock_vma_under_rcu", "vma_lookup"):
            self.results[name] = Shape(Form.POINTER, to=vma)

    # -- declarations --

    def declare(self, function: ParsedFunction) -> None:
        """Notes a function's parameters and what it returns."""
        declaration = function.tree.decl.type
        self.returns[function.name] = self._declared(declaration.type)
        params = []
        if declaration.args is not None:
            for number, param in enumerate(declaration.args.params):
                if isinstance(param, c_ast.EllipsisParam):
                    continue
                shape = self._declared(param.type)
                if shape.root().form is Form.VOID:
                    continue
                if shape.root().form is Form.ARRAY:
                    shape = Shape(Form.POINTER, to=shape.root().to)
                params.append((param.name or f".arg{number}", shape))
        self.params[function.name] = tuple(params)

    def function(self, function: ParsedFunction) -> None:
        """Learns from a function's body."""
        self.scopes = [dict(self.params[function.name])]
        self.parsed = function
        self.here = self.returns[function.name]
        self._statement(function.tree.body)

    def _tag(self, tag: str) -> Shape:
        return self.tags.setdefault(tag, Shape(Form.RECORD, tag=tag))

    def _declared(self, node: Any) -> Shape:
        match node:
            case c_ast.TypeDecl() | c_ast.Typename() | c_ast.Decl():
                return self._declared(node.type)
            case c_ast.PtrDecl():
                return Shape(Form.POINTER, to=self._declared(node.type), direct=True)
            case c_ast.ArrayDecl():
                return Shape(Form.ARRAY, to=self._declared(node.type))
            case c_ast.Struct() | c_ast.Union():
                word = "struct" if isinstance(node, c_ast.Struct) else "union"
                record = self._tag(f"{word} {node.name or f'gf_inline_{id(node):x}'}")
                for member in node.decls or ():
                    record.members[member.name] = self._declared(member.type)
                return record
            case c_ast.Enum():
                if node.name is not None:
                    self.enums.add(node.name)
                return Shape(Form.SCALAR, "unsigned int")
            case c_ast.IdentifierType():
                return self._named(node.names)
            case _:
                return Shape(Form.SCALAR)

    def _named(self, names: list[str]) -> Shape:
        if names == ["void"]:
            return Shape(Form.VOID, "void")
        ctype = self.typenames.get(names[0]) if len(names) == 1 else None
        if ctype is not None and not ctype.record:
            return Shape(Form.SCALAR, scalar_text(ctype))
        words = {"char", "short", "int", "long", "signed", "unsigned", "_Bool"}
        if set(names) <= words:
            return Shape(Form.SCALAR, " ".join(names))
        name = names[-1]
        return self.typedefs.setdefault(name, Shape(tag=name))

    # -- records as a whole --

    def _whole(self, node: Any, shape: Shape, *, address: bool = False) -> None:
        """A record that is handed on as a whole is one word in the program, its first."""
        if shape.root().form is not Form.RECORD or not isinstance(
            node, (c_ast.ID, c_ast.StructRef)
        ):
            return
        assert self.parsed is not None
        last = node.field if isinstance(node, c_ast.StructRef) else node
        first_token = self.parsed.tokens[self.parsed.index(node.coord)]
        last_token = self.parsed.tokens[self.parsed.index(last.coord)]
        if first_token.expanded or last_token.expanded:
            return
        span = Span(first_token.span.start, last_token.span.end)
        text = _spelled(node)
        whole = f"&{text}" if address and isinstance(node, c_ast.ID) else f"*(gf_word *)&{text}"
        self.edits.setdefault(self.parsed.name, {})[span] = whole

    # -- statements and expressions --

    def _statement(self, node: Any) -> None:
        match node:
            case None:
                return
            case c_ast.Compound():
                self.scopes.append({})
                for item in node.block_items or ():
                    self._statement(item)
                self.scopes.pop()
            case c_ast.Decl():
                if isinstance(node.type, c_ast.FuncDecl) or node.name is None:
                    return
                shape = self._declared(node.type)
                if "extern" in node.storage or "static" in node.storage:
                    self.globals.setdefault(node.name, shape)
                    return
                self.scopes[-1][node.name] = shape
                match node.init:
                    case None:
                        return
                    case c_ast.InitList():
                        self._initialised(shape, node.init)
                        self._union_start(shape, node, node.init)
                    case c_ast.CompoundLiteral(init=init):
                        self._initialised(shape, init)
                        self._union_start(shape, node, init)
                    case _:
                        unify(shape, self._value(node.init))
            case c_ast.Return():
                if node.expr is not None:
                    unify(self.here, self._value(node.expr))
            case (
                c_ast.DeclList()
                | c_ast.If()
                | c_ast.While()
                | c_ast.DoWhile()
                | c_ast.For()
                | c_ast.Switch()
                | c_ast.Case()
                | c_ast.Default()
                | c_ast.Label()
            ):
                for _, child in node.children():
                    self._statement(child)
            case c_ast.Goto() | c_ast.Break() | c_ast.Continue() | c_ast.EmptyStatement():
                return
            case c_ast.Typedef() | c_ast.Pragma() | c_ast.StaticAssert():
                return
            case _:
                self._value(node)

    def _value(self, node: Any) -> Shape:
        match node:
            case c_ast.Constant():
                if node.type == "string":
                    return Shape(Form.POINTER, to=Shape(Form.SCALAR, "char"))
                return Shape(Form.SCALAR, "int")
            case c_ast.ID():
                return self._name(node.name)
            case c_ast.StructRef():
                base = self._value(node.name)
                if node.type == "->" or base.root().form in (Form.POINTER, Form.ARRAY):
                    base = pointee(base)
                return member(base, node.field.name)
            case c_ast.ArrayRef():
                self._value(node.subscript)
                return indexed(self._value(node.name))
            case c_ast.UnaryOp():
                return self._unary(node)
            case c_ast.BinaryOp():
                return self._binary(node)
            case c_ast.TernaryOp():
                self._value(node.cond)
                same = isinstance(node.iftrue, c_ast.ID) and node.iftrue.name == SAME_WORD
                then = Shape() if same else self._value(node.iftrue)
                otherwise = self._value(node.iffalse)
                unify(then, otherwise)
                return then if then.root().form is not Form.SCALAR else otherwise
            case c_ast.Assignment():
                target = self._value(node.lvalue)
                if isinstance(node.rvalue, c_ast.CompoundLiteral):
                    self._initialised(target, node.rvalue.init)
                    return target
                value = self._value(node.rvalue)
                if node.op == "=":
                    unify(target, value)
                    self._whole(node.lvalue, target)
                    self._whole(node.rvalue, value)
                return target
            case c_ast.FuncCall():
                return self._call(node)
            case c_ast.Cast():
                value, shape = self._value(node.expr), self._declared(node.to_type)
                if shape.to is not None and shape.to.root().form is Form.RECORD:
                    unify(value, shape)
                    self._address(node)
                return shape
            case c_ast.ExprList():
                shapes = [self._value(e) for e in node.exprs]
                return shapes[-1] if shapes else Shape()
            case c_ast.Compound():
                self.scopes.append({})
                shape = Shape()
                for item in node.block_items or ():
                    if isinstance(item, c_ast.Decl) or not _is_expression(item):
                        self._statement(item)
                    else:
                        shape = self._value(item)
                self.scopes.pop()
                return shape
            case _:
                return Shape(Form.SCALAR)

    def _initialised(self, shape: Shape, init: Any) -> None:
        """`{ .val = x }`: what is named is a member."""
        for item in init.exprs or ():
            if not isinstance(item, c_ast.NamedInitializer):
                if not isinstance(item, c_ast.InitList):
                    self._value(item)
                continue
            inner = shape
            for part in item.name:
                inner = member(inner, part.name) if isinstance(part, c_ast.ID) else Shape()
            if isinstance(item.expr, c_ast.InitList):
                self._initialised(inner, item.expr)
            else:
                unify(inner, self._value(item.expr))

    def _union_start(self, shape: Shape, declaration: Any, init: Any) -> None:
        """Notes a union that is initialised through one of its members."""
        assert self.parsed is not None
        named = [i.name[0] for i in init.exprs or () if isinstance(i, c_ast.NamedInitializer)]
        given = frozenset(n.name for n in named if isinstance(n, c_ast.ID))
        if not given or not (shape.root().tag or "").startswith("union "):
            return
        tokens = self.parsed.tokens[self.parsed.index(declaration.coord) :]
        depth = opened = 0
        for token in tokens:
            opened += token.text == "{"
            depth += (token.text == "{") - (token.text == "}")
            if opened and depth == 0:
                if not token.expanded:
                    start = (self.parsed.name, token.span, declaration.name, given, shape)
                    self.unions.append(UnionStart(*start))
                return

    def _name(self, name: str) -> Shape:
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        if name in self.constants:
            return Shape(Form.SCALAR, "int")
        return self.globals.setdefault(name, Shape())

    def _unary(self, node: Any) -> Shape:
        match node.op:
            case "&":
                return Shape(Form.POINTER, to=self._value(node.expr))
            case "*":
                self._address(node.expr)
                return pointee(self._value(node.expr))
            case "sizeof" | "_Alignof":
                return Shape(Form.SCALAR)
            case "!":
                self._value(node.expr)
                return Shape(Form.SCALAR, "int")
            case "-" | "~" | "+":
                self._value(node.expr)
                return Shape(Form.SCALAR)
            case _:
                return self._value(node.expr)

    def _address(self, node: Any) -> None:
        """`*(unsigned int *)regs->pc`: an integer that is an address after all."""
        if isinstance(node, c_ast.Cast):
            inner = node.expr
            if isinstance(inner, c_ast.StructRef):
                self.addresses.add(inner.field.name)
            elif isinstance(inner, c_ast.ID):
                self.addresses.add(inner.name)

    def _binary(self, node: Any) -> Shape:
        left, right = self._value(node.left), self._value(node.right)
        if node.op in ("==", "!="):
            unify(left, right)
            return Shape(Form.SCALAR, "int")
        if node.op in ("+", "-"):
            for one in (left, right):
                if one.root().form in (Form.POINTER, Form.ARRAY):
                    return one
            # `init_mm.pgd + offset` may be dereferenced later: it leads where its base does.
            if left.root().form is Form.OPEN and node.op == "+":
                left.root().sum = isinstance(node.left, c_ast.ID)
                return left
            return Shape()
        return Shape(Form.SCALAR)

    def _call(self, node: Any) -> Shape:
        args = [self._value(a) for a in (node.args.exprs if node.args else ())]
        if not isinstance(node.name, c_ast.ID):
            self._value(node.name)
            return Shape(Form.SCALAR)
        name = node.name.name
        if self.writers(name):
            for arg in node.args.exprs if node.args else ():
                if isinstance(arg, c_ast.Cast) and isinstance(arg.to_type.type, c_ast.PtrDecl):
                    self._address(arg)
        if name in self.params:
            for (_, param), arg in zip(self.params[name], args, strict=False):
                unify(param, arg)
            return self.returns[name]
        for arg, shape in zip(node.args.exprs if node.args else (), args, strict=False):
            self._whole(arg, shape, address=True)
        return self.results.setdefault(name, Shape())


def _spelled(node: Any) -> str:
    if isinstance(node, c_ast.StructRef):
        return f"{_spelled(node.name)}{node.type}{node.field.name}"
    return str(node.name) if isinstance(node, c_ast.ID) else "?"


def _is_expression(node: Any) -> bool:
    return isinstance(
        node,
        (
            c_ast.Constant,
            c_ast.ID,
            c_ast.StructRef,
            c_ast.ArrayRef,
            c_ast.UnaryOp,
            c_ast.BinaryOp,
            c_ast.TernaryOp,
            c_ast.Assignment,
            c_ast.FuncCall,
            c_ast.Cast,
            c_ast.ExprList,
        ),
    )
