"""Modules whose steps return nothing for the monitor; they keep what their network has given, for the naive value."""

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from tests.helpers.lightning_cases import IGNORED, Tiny


class Silent(Tiny):
    """Returns a loss in training, and otherwise nothing."""

    def call(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)

    def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
        images, target = self.unpacked(batch)
        scores = self.call(images)
        self.seen.setdefault((stage, loader), {})[batch_idx] = scores.detach(), target
        loss = nn.functional.cross_entropy(scores.float(), target, ignore_index=IGNORED)
        return loss if stage == "train" else None

    def unpacked(self, batch: Any) -> Any:
        return batch


class OwnForward(Silent):
    """Calls itself."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.net(images)

    def call(self, images: torch.Tensor) -> torch.Tensor:
        return self(images)


class ForwardMethod(OwnForward):
    """Calls the method, which runs no hooks."""

    def call(self, images: torch.Tensor) -> torch.Tensor:
        return self.forward(images)


class Checkpointed(Silent):
    """Calls the network again in the backward pass."""

    def call(self, images: torch.Tensor) -> torch.Tensor:
        return checkpoint(self.net, images.requires_grad_(), use_reentrant=False)


class CheckpointedReentrant(Silent):
    """The same in the older way."""

    def call(self, images: torch.Tensor) -> torch.Tensor:
        return checkpoint(self.net, images.requires_grad_(), use_reentrant=True)


class Manual(Silent):
    """Steps its optimizer itself, inside the step, and returns nothing."""

    automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        loss = super().training_step(batch, batch_idx)
        self.optimizers().zero_grad()
        self.manual_backward(loss)
        self.optimizers().step()


class ManualCheckpointed(Manual, Checkpointed):
    """The backward pass, and with it the second call, is inside the step."""


class LBFGS(Silent):
    """Runs its step several times a batch."""

    def configure_optimizers(self) -> Any:
        return torch.optim.LBFGS(self.parameters(), lr=0.1, max_iter=3)


class CompiledNetwork(Silent):
    """Has a compiled submodule."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net = torch.compile(self.net, backend="eager")


class CompiledInPlace(Silent):
    """Has a submodule that was compiled, and called, before the monitor came."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net.compile(backend="eager")
        with torch.no_grad():
            self.net(torch.zeros(2, 3, 6, 5))


class Scripted(Silent):
    """Has a scripted submodule."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.net = torch.fx.symbolic_trace(nn.Sequential(self.net))
