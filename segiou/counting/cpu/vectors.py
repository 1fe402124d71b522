"""Small parts for kernels written in LLVM's terms, where numba cannot say what is needed.

Vectors are as long as the caller says; LLVM splits them where the machine's registers are shorter.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils

BIT, SHORT, INT, LONG = (ir.IntType(bits) for bits in (1, 16, 32, 64))
FLOAT = ir.FloatType()


def vector(kind: Any, lanes: int) -> Any:
    """The type of ``lanes`` values; of one, the value's own."""
    return kind if lanes == 1 else ir.VectorType(kind, lanes)


def splat(builder: Any, value: Any, lanes: int) -> Any:
    """A vector of copies of a value."""
    if lanes == 1:
        return value
    empty = ir.Constant(vector(value.type, lanes), ir.Undefined)
    zeros = ir.Constant(vector(INT, lanes), [0] * lanes)
    return builder.shuffle_vector(builder.insert_element(empty, value, INT(0)), empty, zeros)


def place(builder: Any, address: Any, index: Any, size: int, kind: Any) -> Any:
    """A pointer to ``kind`` at an address, ``index`` times ``size`` bytes further."""
    return builder.inttoptr(builder.add(address, builder.mul(index, LONG(size))), kind.as_pointer())


def prefetch(builder: Any, address: Any) -> None:
    """Ask for a cache line; any address will do, it cannot fault."""
    kind = ir.FunctionType(ir.VoidType(), [cgutils.voidptr_t, INT, INT, INT])
    function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(function, [builder.inttoptr(address, cgutils.voidptr_t), INT(0), INT(3), INT(1)])


def fma(builder: Any, left: Any, right: Any, more: Any) -> Any:
    """``left * right + more`` of float32, rounded once."""
    kind = more.type
    name = "llvm.fma.f32" if kind == FLOAT else f"llvm.fma.v{kind.count}f32"
    function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind] * 3), name)
    return builder.call(function, [left, right, more])


def least(builder: Any, left: Any, right: Any, signed: bool = True) -> Any:
    compare = builder.icmp_signed if signed else builder.icmp_unsigned
    return builder.select(compare("<", left, right), left, right)


def greatest(builder: Any, left: Any, right: Any, signed: bool = True) -> Any:
    compare = builder.icmp_signed if signed else builder.icmp_unsigned
    return builder.select(compare(">", left, right), left, right)


Body = Callable[[Any, list[Any]], list[Any]]


def loop(builder: Any, begin: Any, end: Any, step: int, states: Sequence[Any], body: Body) -> list[Any]:
    """``for i in range(begin, end, step): states = body(i, states)``; returns the last states."""
    entry = builder.block
    head, inner, after = (builder.append_basic_block(name) for name in ("head", "inner", "after"))
    builder.branch(head)
    builder.position_at_end(head)
    phis = [builder.phi(value.type) for value in (begin, *states)]
    builder.cbranch(builder.icmp_signed("<", phis[0], end), inner, after)
    builder.position_at_end(inner)
    ends = [builder.add(phis[0], LONG(step)), *body(phis[0], phis[1:])]
    for phi, first, last in zip(phis, (begin, *states), ends, strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(last, builder.block)
    builder.branch(head)
    builder.position_at_end(after)
    return phis[1:]


def choose(builder: Any, selector: Any, cases: int, emit: Callable[[int], Any]) -> Any:
    """One of several pieces of code, by number; what they return (int64)."""
    end, never = builder.append_basic_block("end"), builder.append_basic_block("never")
    table = builder.switch(selector, never)
    builder.position_at_end(never)
    builder.unreachable()
    results = []
    for number in range(cases):
        case = builder.append_basic_block("case")
        table.add_case(LONG(number), case)
        builder.position_at_end(case)
        results.append((emit(number), builder.block))
        builder.branch(end)
    builder.position_at_end(end)
    result = builder.phi(LONG)
    for value, block in results:
        result.add_incoming(value, block)
    return result
