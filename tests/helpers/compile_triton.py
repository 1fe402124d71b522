"""Compile every kind of the Triton kernel for an H100/H200, without a GPU; prints a line of JSON for each.

The functions of ``segiou.counting.cuda`` run on CPU tensors, with a driver that only names a target and
a kernel that is compiled but not launched. So the test also sees the argument types of real launches.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from segiou.counting import cuda, triton_kernels


class NoDevice:
    """As much of a driver as the compiler asks for."""

    def get_current_target(self) -> GPUTarget:
        return GPUTarget("cuda", 90, 32)

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int | None = None) -> int:
        return 0


class CompileOnly:
    """Stands for the kernel: ``kernel[grid](...)`` compiles for the arguments, and keeps the result."""

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self.compiled: Any = None

    def __getitem__(self, grid: tuple[int, ...]) -> Any:
        def compile_for(*args: Any, **options: Any) -> None:
            self.compiled = self.kernel.run(*args, grid=grid, warmup=True, **options)

        return compile_for


def resources(compiled: Any) -> dict[str, int]:
    """Registers and spilled bytes of each thread, and shared memory of a program."""
    found = {"shared": int(compiled.metadata.shared)}
    tool = Path(triton.__file__).parent / "backends/nvidia/bin/cuobjdump"
    if tool.exists():
        with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
            file.write(compiled.asm["cubin"])
            file.flush()
            shown = subprocess.run([tool, "-res-usage", file.name], capture_output=True, text=True, check=True).stdout
        found |= {name.lower(): int(n) for name, n in re.findall(r"(REG|STACK|LOCAL):(\d+)", shown)}
    return found


def calls(classes: list[int]) -> Any:
    """(name, function) of every kind, dtype and layout."""
    target = torch.zeros(2, 64, 128, dtype=torch.int64)
    for c in classes:
        for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
            preds = torch.zeros(2, c, 64, 128, dtype=dtype)
            yield f"scores {c} {dtype}", lambda p=preds, c=c: cuda.scores(p, target, c, (255,), False)
        last = torch.zeros(2, c, 64, 128).to(memory_format=torch.channels_last)
        yield f"scores {c} channels_last", lambda p=last, c=c: cuda.scores(p, target, c, (), True)
        for dtype in (torch.bool, torch.uint8, torch.int16, torch.uint16, torch.int32, torch.uint64, torch.int64):
            known = target.to(dtype)
            yield f"labels {c} {dtype}", lambda k=known, c=c: cuda.labels(k, k, c, (0, 1, 255), False)
        crop = target[:, 1:, 3:100]
        yield f"labels {c} cropped", lambda k=crop, c=c: cuda.labels(k, k, c, (-1,), True)
        cube = torch.zeros(2, 8, 8, 8, dtype=torch.int64)[:, :5, :6, :7]
        yield f"labels {c} cropped volume", lambda k=cube, c=c: cuda.labels(k, k, c, (-1, 2**63 - 1), True)
        small = torch.zeros(2, c, 16, 32, dtype=torch.bfloat16)
        for mode, corners in (("nearest", False), ("bilinear", False), ("bilinear", True)):
            yield (
                f"upsampled {c} {mode} {corners}",
                lambda p=small, c=c, m=mode, a=corners: cuda.upsampled_scores(p, target, c, (255,), False, m, a),
            )
    for dtype in (torch.bfloat16, torch.float16, torch.float32, torch.float64):
        scores = torch.zeros(2, 64, 128, dtype=dtype)
        for known in (True, False):
            yield f"binary {dtype} {known}", lambda s=scores, k=known: cuda.binary(s, target, 0.3, k, (255,), False)


def main() -> None:
    driver.set_active(NoDevice())
    kernel = CompileOnly(triton_kernels.count)
    triton_kernels.count = kernel
    for name, call in calls([int(word) for word in sys.argv[1:]] or [2, 19, 150]):
        call()
        print(json.dumps({"name": name, **resources(kernel.compiled)}), flush=True)


if __name__ == "__main__":
    main()
