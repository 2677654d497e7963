"""The small network of the `mini` preset: two streams of unit vectors, one for each frame of the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, eq=False)
class Streams:
    """Frame-wise embeddings of a batch of windows.

    Args:
        lip: [B, T, E] unit vectors of the mouths.
        audio: [B, T, E] unit vectors of the sound.
        lip_logits: [B, 2] of the visual head, class 1 = fake.
        audio_logits: [B, 2] of the audio head, class 1 = fake.
    """

    lip: Tensor
    audio: Tensor
    lip_logits: Tensor
    audio_logits: Tensor


class _Head(nn.Module):
    """BN, dropout and a linear layer on the window's mean, as in the paper's heads."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.BatchNorm1d(width), nn.Dropout(dropout), nn.Linear(width, 2))

    def forward(self, x: Tensor) -> Tensor:
        """[B, E, T] -> [B, 2]."""
        out: Tensor = self.layers(x.mean(2))
        return out


def _picture_block(inputs: int, width: int, kernel: int) -> nn.Sequential:
    conv = nn.Conv2d(inputs, width, kernel, 2, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), nn.ReLU())


def _sequence_block(inputs: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv1d(inputs, width, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm1d(width), nn.ReLU())


class MiniNet(nn.Module):
    """Mouth crops and log-mel bands to unit vectors at the picture's rate.

    The picture part sees each frame with its two neighbours as channels; a first temporal kernel of 3 thereby costs
    no more than a 2D convolution. Pairs of pixels are averaged first: half the size trains four times as fast and
    loses nothing measurable on the talkers. Both streams end in a batch norm without scale or offset, which keeps
    mismatched unit vectors near a distance of sqrt(2) from the first step on; without it the embeddings start as one
    common direction and take three times as many steps to leave it (measured). Batch norms keep running statistics,
    so at test every clip is scored by itself.

    Args:
        bands: Log-mel bands.
        height: Pixels of a crop.
        width: Pixels of a crop.
        embedding: Length of the embeddings.
        dropout: Dropped share in front of the heads.
    """

    def __init__(self, *, bands: int, height: int, width: int, embedding: int, dropout: float) -> None:
        super().__init__()
        self.picture = nn.Sequential(_picture_block(3, 16, 5), _picture_block(16, 32, 3), _picture_block(32, 48, 3))
        self.halve = nn.AvgPool2d(2, ceil_mode=True)
        cells = -(-height // 16) * -(-width // 16)  # halved once here and three times by the blocks, rounding up
        self.lips = nn.Sequential(
            _sequence_block(48 * cells, 96, 3),
            nn.Conv1d(96, embedding, 3, padding=1),
            nn.BatchNorm1d(embedding, affine=False),
        )
        self.sound = nn.Sequential(
            _sequence_block(bands, 64, 5, 2),
            _sequence_block(64, 96, 5, 2),
            _sequence_block(96, 96, 3),
            nn.Conv1d(96, embedding, 3, padding=1),
            nn.BatchNorm1d(embedding, affine=False),
        )
        self.lip_head = _Head(embedding, dropout)
        self.audio_head = _Head(embedding, dropout)

    def initialise(self) -> None:
        """Kaiming normal weights, zero biases."""
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward(self, mouth: Tensor, mel: Tensor) -> Streams:
        """Embed a batch of windows.

        Args:
            mouth: [B, T, H, W] float, normalised per clip.
            mel: [B, 4 T, bands] float, normalised per clip.
        """
        batch, frames = mouth.shape[:2]
        mouth = self.halve(mouth)
        before = torch.cat([mouth[:, :1], mouth[:, :-1]], 1)
        after = torch.cat([mouth[:, 1:], mouth[:, -1:]], 1)
        triple = torch.stack([before, mouth, after], 2).flatten(0, 1)
        seen = self.picture(triple.contiguous(memory_format=torch.channels_last))
        lip = self.lips(seen.flatten(1).reshape(batch, frames, -1).transpose(1, 2))
        audio = self.sound(mel.transpose(1, 2))
        return Streams(
            functional.normalize(lip.transpose(1, 2), dim=2),
            functional.normalize(audio.transpose(1, 2), dim=2),
            self.lip_head(lip),
            self.audio_head(audio),
        )


def build(config: Mapping[str, Any]) -> MiniNet:
    """Make the network for the settings of a `MiniConfig` (as a mapping)."""
    return MiniNet(
        bands=config["bands"],
        height=config["crop_height"],
        width=config["crop_width"],
        embedding=config["embedding"],
        dropout=config["dropout"],
    )
