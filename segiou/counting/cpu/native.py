"""What numba lacks: views of raw memory, an indivisible add; and ``njit`` where no cache folder can be written."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic


def _cache_folder() -> Path:
    """A folder for what is compiled from just these sources.

    numba looks at the file of the function alone, and would go on using what other files gave it before they
    were changed.
    """
    here = Path(__file__).parent
    sources = b"".join(source.read_bytes() for source in sorted(here.glob("*.py")))
    own = Path(numba.config.CACHE_DIR) if numba.config.CACHE_DIR else here / "__pycache__"
    writable = own if os.access(own if own.exists() else here, os.W_OK) else Path.home() / ".cache" / "segiou"
    return writable / f"numba-{hashlib.sha256(sources).hexdigest()[:16]}"


def compiled(function: Callable[..., Any]) -> Any:
    """``njit`` of what Python calls: without the interpreter lock, kept on disk where that is possible."""
    before = numba.config.CACHE_DIR
    try:
        numba.config.CACHE_DIR = str(_cache_folder())
        return numba.njit(nogil=True, error_model="numpy", cache=True)(function)
    except (RuntimeError, OSError):  # numba's "no locator available", raised at decoration: nowhere to write
        return numba.njit(nogil=True, error_model="numpy")(function)
    finally:
        numba.config.CACHE_DIR = before


# What only other kernels call: it is kept with them, and needs nothing that makes it callable from Python.
part = numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)


@intrinsic
def pointer(typingctx: Any, address: Any, like: Any) -> Any:
    """The integer ``address`` as a pointer to values of the type of ``like``."""
    result = types.CPointer(like)

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

    return result(types.int64, like), codegen


@intrinsic
def fetch_add(typingctx: Any, values: Any, index: Any, amount: Any) -> Any:
    """Add to ``values[index]`` (int64) in one indivisible step; returns what stood there before."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, args[0])
        place = builder.gep(array.data, [args[1]])
        return builder.atomic_rmw("add", place, args[2], "monotonic")

    return types.int64(values, types.int64, types.int64), codegen


@intrinsic
def team(typingctx: Any, launch: Any, threads: Any, job: Any) -> Any:
    """Call the function that this stands in, as ``function(0, 1, job)``, on up to ``threads`` threads of OpenMP.

    ``launch`` is the address of ``GOMP_parallel``. The function returns nothing; what it raises on a thread becomes a
    RuntimeError here.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        launch, threads, given = args
        void, anything, number = ir.VoidType(), cgutils.voidptr_t, ir.IntType(32)
        task = ir.FunctionType(void, [anything])
        one = ir.Function(builder.module, task, builder.module.get_unique_name("one_thread"))
        one.linkage = "internal"
        inside = ir.IRBuilder(one.append_basic_block())
        shared = cgutils.alloca_once_value(builder, cgutils.pack_struct(builder, [given, number(0)]))
        pair = inside.bitcast(one.args[0], shared.type)
        here = [launch.type(0), launch.type(1), inside.load(cgutils.gep_inbounds(inside, pair, 0, 0))]
        status, _ = context.call_conv.call_function(inside, builder.function, types.none, signature.args, here)
        failed = inside.zext(status.is_error, number)
        inside.atomic_rmw("or", cgutils.gep_inbounds(inside, pair, 0, 1), failed, "monotonic")
        inside.ret_void()
        parallel = ir.FunctionType(void, [task.as_pointer(), anything, number, number]).as_pointer()
        address, width = builder.bitcast(shared, anything), builder.trunc(threads, number)
        builder.call(builder.inttoptr(launch, parallel), [one, address, width, number(0)])
        failed = builder.load(cgutils.gep_inbounds(builder, shared, 0, 1))
        with cgutils.if_unlikely(builder, builder.icmp_unsigned("!=", failed, number(0))):
            context.call_conv.return_user_exc(builder, RuntimeError, ("a thread could not finish its part",))
        return context.get_dummy_value()

    return types.none(types.int64, types.int64, job), codegen
