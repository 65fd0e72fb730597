"""A small network with every kind of layer of the package's models except LSTMs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgeecg.models import AttentionPooling, EncoderBlock
from edgeecg.models._resnet import BlockShape, ResidualBlock

SHAPE = (2, 64)


class SmallNetwork(nn.Module):
    """Stem, residual block, encoder block, attention pooling, head; three classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv1d(2, 8, 5, stride=2, padding=2, bias=False)
        self.norm = nn.BatchNorm1d(8)
        self.residual = ResidualBlock(BlockShape(8, 12, 16, kernel=5, stride=2))
        self.encoder = EncoderBlock(16, 2, 8, 24)
        self.pooling = AttentionPooling(16, 12)
        self.head = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        features = self.residual(torch.relu(self.norm(self.stem(x))))
        features = self.encoder(features.transpose(1, 2)).transpose(1, 2)
        return self.head(self.pooling(features))


def randomized() -> SmallNetwork:
    """Return the same network each time, with no batch normalisation that does nothing."""
    torch.manual_seed(4)
    model = SmallNetwork().train()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for _ in range(20):
            model(torch.randn(32, *SHAPE))
    return model.eval()
