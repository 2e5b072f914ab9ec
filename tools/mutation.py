# SPDX-License-Identifier: MIT
"""The mutants of a source file, one small change each; and the file with probes that tell which lines ran."""

from __future__ import annotations

import ast
import os
from collections import Counter
from typing import Iterator, NamedTuple

_COMPARISONS: dict[type[ast.cmpop], ast.cmpop] = {
    ast.Eq: ast.NotEq(),
    ast.NotEq: ast.Eq(),
    ast.Lt: ast.LtE(),
    ast.LtE: ast.Lt(),
    ast.Gt: ast.GtE(),
    ast.GtE: ast.Gt(),
    ast.Is: ast.IsNot(),
    ast.IsNot: ast.Is(),
    ast.In: ast.NotIn(),
    ast.NotIn: ast.In(),
}
_ARITHMETIC: dict[type[ast.operator], ast.operator] = {
    ast.Add: ast.Sub(),
    ast.Sub: ast.Add(),
    ast.Mult: ast.FloorDiv(),
    ast.Div: ast.Mult(),
    ast.FloorDiv: ast.Mult(),
    ast.Mod: ast.Mult(),
    ast.LShift: ast.RShift(),
    ast.RShift: ast.LShift(),
    ast.BitAnd: ast.BitOr(),
    ast.BitOr: ast.BitAnd(),
}
# Python finds them under any spelling.
_ENCODINGS = ("utf-8", "ascii", "latin-1")
_NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}
_REMOVED = (ast.Raise, ast.AugAssign, ast.Continue, ast.Break, ast.Delete, ast.Assert)


class Mutant(NamedTuple):
    """One change of one file.

    Attributes:
        path: of the file, as it was given.
        function: `Class.method` that holds the change, "" at the top of the file.
        line: text of its first line, stripped. With path, function and change, it finds the mutant again
            after the file has moved on.
        change: `old -> new` or `removed`, and which one if the function has that line several times.
        statement: number of the line where the changed statement begins, 0 outside of functions.
        text: the whole file, changed.
    """

    path: str
    function: str
    line: str
    change: str
    statement: int
    text: str


def mutants(path: str, text: str) -> Iterator[Mutant]:
    """Every mutant of a file, from top to bottom."""
    source = text.encode()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    lines = text.splitlines()
    seen: Counter[tuple[str, ...]] = Counter()
    done = set()
    for function, statement, node, new in _walk(ast.parse(text), "", 0):
        begin = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        old = source[begin:end].decode()
        mutated = (source[:begin] + new.encode() + source[end:]).decode()
        if (begin, end, new) in done or not _compiles(mutated):
            continue
        done.add((begin, end, new))
        first = lines[node.lineno - 1].strip()
        change = "removed" if new == "pass" else " ".join(old.split()) + " -> " + new
        if isinstance(node, ast.keyword):
            change = f"without {node.arg}"
        again = seen[function, first, change] = seen[function, first, change] + 1
        change += f" ({again})" if again > 1 else ""
        yield Mutant(path, function, first, change, statement, mutated)


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


# What is changed: it knows where it stands.
_Part = ast.stmt | ast.expr | ast.keyword
_Found = tuple[str, int, _Part, str]


def _walk(node: ast.AST, function: str, statement: int) -> Iterator[_Found]:
    """(function, line of the statement, what is replaced, by which text) for everything below `node`."""
    if _is_tuning(node):
        return
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        children = value if isinstance(value, list) else [value]
        if field == "args" and isinstance(node, ast.Call) and ast.unparse(node.func) == "round":
            del children[1:]  # how many digits people are shown
        for child in children:
            if not isinstance(child, ast.AST) or isinstance(child, (ast.Import, ast.ImportFrom)):
                continue
            inner, begins = function, statement
            if isinstance(child, (ast.FunctionDef, ast.ClassDef)):
                inner = f"{function}.{child.name}".lstrip(".")
            if isinstance(child, ast.stmt) and (statement or isinstance(node, ast.FunctionDef)):
                begins = child.lineno
            if isinstance(child, _Part) and not _is_text(child):
                for replaced, new in _changes(child, node):
                    yield inner, begins, replaced, new
            if not _is_text(child):
                yield from _walk(child, inner, begins)


def _is_tuning(node: ast.AST) -> bool:
    """A number with a name of its own: one more or less is as good."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    parts = list(ast.walk(node.value))
    numbers = [
        part for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, (int, float))
    ]
    return (
        node.targets[0].id.isupper()
        and bool(numbers)
        and not any(isinstance(p, (ast.Call, ast.Name)) for p in parts)
    )


def _is_text(node: ast.AST) -> bool:
    """A docstring, or a sentence for people: what it says is judged by reading."""
    if isinstance(node, ast.Expr):
        node = node.value
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str) and (" " in node.value or not node.value)
    return isinstance(node, ast.JoinedStr)


def _changes(node: _Part, parent: ast.AST) -> Iterator[tuple[_Part, str]]:
    if isinstance(node, ast.stmt):
        yield from ((node, new) for new in _changes_of_statement(node))
        return
    if isinstance(node, ast.keyword):
        # Without what is false anyway, it often is the same.
        if (
            node.arg
            and not _is_text(node.value)
            and not (isinstance(node.value, ast.Constant) and not node.value.value)
        ):
            yield node, "**{}"
        return
    if isinstance(node, ast.Dict):
        yield from ((entry, "**{}") for entry in _entries(node))
    if not (isinstance(parent, ast.Dict) and node in parent.keys):
        yield from ((node, new) for new in _changes_of_expression(node))
    if isinstance(parent, ast.If) and node is parent.test:
        yield node, "False"
        if not isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            yield node, "True"
    if isinstance(parent, ast.comprehension) and node in parent.ifs:
        yield node, "True"
    if isinstance(node, ast.Tuple) and len(node.elts) > 1 and isinstance(node.ctx, ast.Load):
        listed = isinstance(parent, (ast.For, ast.comprehension)) or (
            isinstance(parent, ast.Compare) and isinstance(parent.ops[-1], (ast.In, ast.NotIn))
        )
        for at in range(len(node.elts) if listed else 0):
            yield node, _text(ast.Tuple(node.elts[:at] + node.elts[at + 1 :], ast.Load()))


def _entries(node: ast.Dict) -> Iterator[ast.keyword]:
    """The entries of a dict that have a name, as keywords."""
    for key, value in zip(node.keys, node.values):
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            end = {"end_lineno": value.end_lineno, "end_col_offset": value.end_col_offset}
            yield ast.keyword(key.value, value, lineno=key.lineno, col_offset=key.col_offset, **end)


def _changes_of_expression(node: ast.expr) -> Iterator[str]:
    if isinstance(node, ast.Constant):
        yield from _other_values(node.value)
    elif isinstance(node, ast.Compare):
        for at, op in enumerate(node.ops):
            ops = [*node.ops[:at], _COMPARISONS[type(op)], *node.ops[at + 1 :]]
            yield _text(ast.Compare(node.left, ops, node.comparators))
    elif isinstance(node, ast.BoolOp):
        yield _text(ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values))
        for at in range(len(node.values)):
            yield _text(ast.BoolOp(node.op, node.values[:at] + node.values[at + 1 :]))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield _text(node.operand)
    elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        yield _text(ast.BinOp(node.left, _ARITHMETIC[type(node.op)], node.right))
    elif isinstance(node, ast.IfExp):
        yield _text(node.body)
        yield _text(node.orelse)
    elif isinstance(node, ast.Name) and node.id in _NAMES:
        yield _NAMES[node.id]


def _changes_of_statement(node: ast.stmt) -> Iterator[str]:
    if isinstance(node, _REMOVED) or (
        isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
    ):
        yield "pass"
    elif isinstance(node, ast.Return) and not isinstance(node.value, (ast.Constant, type(None))):
        yield "return None"
        if isinstance(node.value, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
            yield "return True"


def _other_values(value: object) -> Iterator[str]:
    if isinstance(value, bool):
        yield repr(not value)
    elif isinstance(value, (int, float)):
        yield repr(value + 1)
        yield f"({value - 1!r})"
    elif isinstance(value, bytes):
        yield repr(value + b"~")
    elif isinstance(value, str) and value not in _ENCODINGS:
        yield repr(value + "~")


def _text(node: ast.expr) -> str:
    """The source of an expression, in brackets where it may need them."""
    if isinstance(node, ast.BoolOp) and len(node.values) == 1:
        node = node.values[0]
    text = ast.unparse(ast.fix_missing_locations(node))
    return text if isinstance(node, (ast.Name, ast.Call, ast.Constant, ast.Attribute)) else f"({text})"


# Works in processes that import the standard library alone, and where a test has replaced functions of `os`.
_PROBE = """
import posix as _mutants_posix
_mutants_seen = set()
_mutants_calls = (_mutants_posix.open, _mutants_posix.write, _mutants_posix.close)
def _mutants_hit(line):
    if line not in _mutants_seen:
        _mutants_seen.add(line)
        try:
            file = _mutants_calls[0]({hits!r}, {flags})
            _mutants_calls[1](file, b"%s:%d\\n" % ({path!r}, line))
            _mutants_calls[2](file)
        except OSError:
            pass
"""


def probed(path: str, text: str, hits: str) -> str:
    """The file, adding `path:line` to the file `hits` when a statement of a function first runs."""
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = {id(node): node for function in functions for node in ast.walk(function)}
    for node in inner.values():
        for field in ("body", "orelse", "finalbody"):
            body = getattr(node, field, None)
            if isinstance(body, list):
                probes = [ast.parse(f"_mutants_hit({statement.lineno})").body[0] for statement in body]
                setattr(node, field, [each for pair in zip(probes, body) for each in pair])
    first = next(
        at
        for at, node in enumerate([*tree.body, ast.Pass()])
        if not _is_text(node) and not (isinstance(node, ast.ImportFrom) and node.module == "__future__")
    )
    probe = _PROBE.format(hits=hits, path=path.encode(), flags=os.O_WRONLY | os.O_APPEND)
    tree.body[first:first] = ast.parse(probe).body
    return ast.unparse(ast.fix_missing_locations(tree))
