"""Check and tune the Triton kernels on this machine's GPU.

    python examples/tune_cuda.py            # checks, timings, and the best shapes of the launch
    python examples/tune_cuda.py --quick    # checks and timings
    python examples/tune_cuda.py --only "scores C=19"   # of some cases
    TRITON_INTERPRET=1 python examples/tune_cuda.py --device cpu   # the checks alone, in the interpreter

Every time is a median; the L2 cache is cleared before each run. "limit" is the bytes of the input over the
bandwidth of a copy (bytes read and written).
"""

import argparse
import datetime
import itertools
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import torch
import triton
from torch import Tensor
from torch.nn.functional import interpolate

from segiou.counting import Counted, cuda, eager

DTYPES = (torch.bfloat16, torch.float16, torch.float32, torch.float64)
LABELS = (torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool)


def same(name: str, counted: Counted, expected: Counted) -> None:
    if not torch.equal(counted.counts, expected.counts) or counted.errors.tolist() != expected.errors.tolist():
        wrong = int((counted.counts - expected.counts).abs().sum())
        raise SystemExit(f"WRONG {name}: counts differ by {wrong}, errors {counted.errors} for {expected.errors}")


def scores_of(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> Tensor:
    """Scores with ties, infinities and nan, which are on every hundredth pixel or so."""
    x = torch.randn(shape, device=device).mul_(4).round_().to(dtype)
    for value in (torch.nan, torch.inf, -torch.inf, -0.0):
        x[torch.rand(shape, device=device) < 0.003] = value
    return x


def coherent(shape: tuple[int, ...], classes: int, device: str) -> Tensor:
    """Labels in rectangles of about 40 pixels, as in photographs."""
    items, height, width = shape
    cells = torch.randint(0, classes, (items, 1, height // 40 + 1, width // 40 + 1), device=device)
    return interpolate(cells.float(), (height, width), mode="nearest")[:, 0].long()


def check(device: str, side: int) -> None:
    """Every function against eager, over dtypes, class counts and memory layouts."""
    cases = 0
    for classes, each in itertools.product((1, 2, 19, 31, 32, 150, 1000), (False, True)):
        shape = (2, side, side + 3)
        target = torch.randint(-1, classes + 2, shape, device=device)
        blocks = coherent(shape, classes, device)
        for dtype in LABELS:
            low, high = (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
            p, t = (x.clamp(low, high).to(dtype) for x in (blocks, target))
            for a, b in ((p, t), (t, p), (p, p.roll(3, 2)), (p[:, 1:, 2:], t[:, 1:, 2:])):
                args = (a, b, classes, (0,), each)
                same(f"labels {classes} {dtype}", cuda.labels(*args), eager.labels(*args))
                cases += 1
        for dtype in DTYPES:
            preds = scores_of((2, classes, *shape[1:]), dtype, device)
            for x in (preds, preds.to(memory_format=torch.channels_last), preds.expand(2, -1, -1, -1)[..., 1:]):
                args = (x, target[..., : x.shape[-1]], classes, (-1,), each)
                same(f"scores {classes} {dtype}", cuda.scores(*args), eager.scores(*args))
                cases += 1
            binary = preds[:, 0]
            for probabilities in (False, True):
                known = (binary, target, 0.3, probabilities, (-1,), each)
                same(f"binary {dtype}", cuda.binary(*known), eager.binary(*known))
                cases += 1
    print(f"equal to eager in {cases} cases")


def check_upsampling(device: str, side: int) -> None:
    """Counts of interpolated scores: how many pixels fall elsewhere than with F.interpolate in float32."""
    modes = (("nearest", False), ("bilinear", False), ("bilinear", True))
    for (mode, corners), dtype in itertools.product(modes, DTYPES[:3]):
        for scale in (0.25, 0.3, 1.0, 1.7):
            preds = torch.randn(2, 7, int(side * scale), int(side * scale) + 1, device=device).to(dtype)
            target = torch.randint(0, 7, (2, side, side + 5), device=device)
            options = {} if mode == "nearest" else {"align_corners": corners}
            large = interpolate(preds.float(), target.shape[1:], mode=mode, **options)
            counted = cuda.upsampled_scores(preds, target, 7, (3,), False, mode, corners)
            moved = int((counted.counts - eager.scores(large, target, 7, (3,), False).counts).abs().sum()) // 2
            name = f"upsampled {mode} corners={corners} {dtype} x{1 / scale:.2f}"
            print(f"{name}: {moved} of {target.numel()} pixels differ")


def check_waiting(device: str) -> None:
    """No function waits for the device, and all can be captured in a graph."""
    preds = scores_of((2, 19, 256, 256), torch.float32, device)
    target = torch.randint(0, 19, (2, 256, 256), device=device)
    runs: list[Callable[[], Counted]] = [
        lambda: cuda.scores(preds, target, 19, (255,), False),
        lambda: cuda.labels(target, target, 150, (255,), True),
        lambda: cuda.binary(preds[:, 0], target, 0.5, True, (255,), False),
        lambda: cuda.upsampled_scores(preds[:, :, ::4, ::4], target, 19, (255,), False, "bilinear"),
    ]
    for run in runs:
        expected = run()
        torch.use_deterministic_algorithms(True)
        torch.cuda.set_sync_debug_mode("error")
        try:
            again = run()
        finally:
            torch.cuda.set_sync_debug_mode("default")
            torch.use_deterministic_algorithms(False)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = run()
        for _ in range(2):
            graph.replay()
        same("without waiting", again, expected)
        same("in a graph", captured, expected)
    print("no host sync, and captured in a CUDA graph: scores, labels, binary, upsampled scores")


# ---- times


def median_ms(run: Callable[[], Any], repeats: int = 30) -> float:
    clear = torch.empty(1 << 28, dtype=torch.uint8, device="cuda")
    run()
    times = []
    for _ in range(repeats):
        clear.zero_()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def copy_bandwidth() -> float:
    """Bytes per millisecond that a copy moves, reads and writes together."""
    source = torch.empty(1 << 30, dtype=torch.uint8, device="cuda")
    sink = torch.empty_like(source)
    return 2 * source.numel() / median_ms(lambda: sink.copy_(source))


def every_case(items: int) -> Iterator[tuple[str, Tensor, Tensor, Callable[[], Counted], Any]]:
    """(name, preds, target, the count, torchmetrics' metric) of the timed cases."""
    from torchmetrics.classification import BinaryJaccardIndex, MulticlassJaccardIndex

    shape = (items, 1024, 2048)
    for classes, dtype in ((19, torch.bfloat16), (19, torch.float32), (150, torch.bfloat16)):
        known = coherent(shape, classes, "cuda")
        n = items if classes < 100 else max(1, items // 4)
        preds, target = torch.randn(n, classes, *shape[1:], device="cuda", dtype=dtype), known[:n]
        metric = MulticlassJaccardIndex(classes, ignore_index=255, validate_args=False).cuda()
        for layout in ("planar", "channels_last") if classes < 100 else ("planar",):
            x = preds.to(memory_format=torch.channels_last) if layout == "channels_last" else preds
            yield (
                f"scores C={classes} {str(dtype)[6:]} {layout}", x, target,
                lambda x=x, t=target, c=classes: cuda.scores(x, t, c, (255,), False), metric,
            )  # fmt: skip
        del preds, x
    for classes, kind, dtype in itertools.product((19, 150), ("coherent", "random"), (torch.int64, torch.uint8)):
        target = coherent(shape, classes, "cuda")
        preds = target.roll(5, 2)
        if kind == "random":
            preds, target = (torch.randint(0, classes, shape, device="cuda") for _ in range(2))
        preds, target = preds.to(dtype), target.to(dtype)
        metric = MulticlassJaccardIndex(classes, ignore_index=255, validate_args=False).cuda()
        yield (
            f"labels C={classes} {str(dtype)[6:]} {kind}", preds, target,
            lambda p=preds, t=target, c=classes: cuda.labels(p, t, c, (255,), False), metric,
        )  # fmt: skip
    target = coherent(shape, 2, "cuda")
    preds = torch.randn(shape, device="cuda")
    metric = BinaryJaccardIndex(ignore_index=255, validate_args=False).cuda()
    yield "binary float32", preds, target, lambda: cuda.binary(preds, target, 0.0, False, (255,), False), metric


def cases(items: int, only: str) -> Iterator[tuple[str, Tensor, Tensor, Callable[[], Counted], Any]]:
    return (case for case in every_case(items) if only in case[0])


def show_times(items: int, only: str) -> None:
    bandwidth = copy_bandwidth()
    print(f"copy {bandwidth / 1e9:.2f} TB/s")
    print(f"{'case':42} {'ms':>8} {'limit':>8} {'ratio':>6} {'torchmetrics':>13} {'ratio':>6}")
    for name, preds, target, run, metric in cases(items, only):
        ours = median_ms(run)
        limit = (preds.nbytes + target.nbytes) / bandwidth
        theirs = median_ms(lambda m=metric, p=preds, t=target: m.update(p, t), 5)
        print(f"{name:42} {ours:8.3f} {limit:8.3f} {ours / limit:6.2f} {theirs:13.3f} {theirs / ours:6.1f}", flush=True)
    small, target = torch.randn(items, 19, 256, 512, device="cuda"), coherent((items, 1024, 2048), 19, "cuda")

    def separate() -> Counted:
        return cuda.scores(interpolate(small, target.shape[1:], mode="bilinear"), target, 19, (), False)

    ours = median_ms(lambda: cuda.upsampled_scores(small, target, 19, (), False, "bilinear"))
    print(f"upsampled bilinear x4 C=19 float32: {ours:.3f} ms, interpolate and scores {median_ms(separate, 5):.3f} ms")
    tiny = torch.randn(1, 19, 64, 64, device="cuda"), torch.randint(0, 19, (1, 64, 64), device="cuda")
    print(f"scores of a 64x64 image: {median_ms(lambda: cuda.scores(*tiny, 19, (), False), 200) * 1000:.0f} us")


def tune(items: int, only: str) -> None:
    """Time shapes of the launch, and both ways of counting for tables of middling size."""
    chosen, largest = cuda.plan_for, cuda.LARGEST_TABLE
    for name, _, _, run, _ in cases(items, only):
        expected, tried = run(), []
        blocks, registers = (256, 512, 1024, 2048, 4096), (None, 64, 80, 128)
        for block, warps, programs, most in itertools.product(blocks, (4, 8, 16), (1, 2, 3, 4, 6, 8, 16), registers):
            held = warps * 32 * programs * (most or 32)
            if not 1 <= block // (32 * warps) <= 16 or warps * programs > 64 or held > 65536:
                continue
            policy = "" if "channels_last" in name else "evict_first"
            plan = cuda.Plan(block, warps, programs, policy, most)
            cuda.plan_for = lambda *a, plan=plan: plan
            try:
                same(f"{name} {plan}", run(), expected)
                tried.append((median_ms(run, 10), plan))
            except triton.runtime.errors.OutOfResources:
                continue
        cuda.plan_for = chosen
        print(f"\n{name}: now {median_ms(run):.3f} ms")
        for ms, plan in sorted(tried, key=lambda pair: pair[0])[:5]:
            print(f"  {ms:.3f} ms {plan}", flush=True)
    for classes in (16, 19, 22, 31, 32, 45, 64, 90):
        target = coherent((items, 1024, 2048), classes, "cuda")
        for kind, preds in (("coherent", target.roll(5, 2)), ("random", torch.randint_like(target, classes))):
            times = []
            for cuda.LARGEST_TABLE in (1 << 13, 0):
                times.append(median_ms(lambda p=preds, t=target, c=classes: cuda.labels(p, t, c, (), False)))
            name = f"labels C={classes} {kind}"
            print(f"{name}: in registers {times[0]:.3f} ms, by atomic additions {times[1]:.3f} ms", flush=True)
    cuda.LARGEST_TABLE = largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="do not search for better shapes of the launch")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--items", type=int, default=8, help="images of 1024x2048")
    parser.add_argument("--only", default="", help="time the cases whose name holds this")
    args = parser.parse_args()
    torch.manual_seed(0)
    check(args.device, 203 if args.device == "cuda" else 23)
    check_upsampling(args.device, 128 if args.device == "cuda" else 20)
    if args.device == "cpu":
        return
    check_waiting(args.device)
    name = torch.cuda.get_device_name()
    print(f"{datetime.date.today()} {name}, torch {torch.__version__}, triton {triton.__version__}")
    print(f"{args.items} images of 1024x2048")
    show_times(args.items, args.only)
    if not args.quick:
        tune(args.items, args.only)


if __name__ == "__main__":
    main()
