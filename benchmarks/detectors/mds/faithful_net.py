"""The authors' network: a 2D-3D residual trunk for faces, a convolutional one for cepstra, two heads.

Tensor names, shapes and types are those of the released checkpoints, so that a state dict fits strictly. The layer
order follows the paper's section 3 and the released model; the visual trunk is the backbone of Han et al.'s Dense
Predictive Coding (ICCV workshops 2019) with 256 instead of 512 channels in its last stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Time steps that are left of a cepstrogram of 99 columns after the audio trunk (21 x 512 = 10752 inputs).
_AUDIO_FEATURES = 512 * 21
_TRUNK_CHANNELS = 256


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What a forward pass gives.

    Args:
        lip: [B, E] visual embeddings, not normalised.
        audio: [B, E] audio embeddings, not normalised.
        lip_logits: [B, 2] of the visual head; class 1 is REAL, as in the released weights.
        audio_logits: [B, 2] of the audio head, likewise.
    """

    lip: Tensor
    audio: Tensor
    lip_logits: Tensor
    audio_logits: Tensor


class _Block(nn.Module):
    """Basic residual block with a kernel of 1 x 3 x 3 or 3 x 3 x 3."""

    def __init__(self, inputs: int, width: int, *, in_time: bool, stride: int, final_relu: bool, stats: bool) -> None:
        super().__init__()
        depth = 3 if in_time else 1
        padding = (depth // 2, 1, 1)
        steps = (stride if in_time else 1, stride, stride)
        self.conv1 = nn.Conv3d(inputs, width, (depth, 3, 3), steps, padding, bias=False)
        self.bn1 = nn.BatchNorm3d(width, track_running_stats=stats)
        self.conv2 = nn.Conv3d(width, width, (depth, 3, 3), 1, padding, bias=False)
        self.bn2 = nn.BatchNorm3d(width, track_running_stats=stats)
        self.relu = nn.ReLU()
        self.final_relu = final_relu
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != width:
            projection = nn.Conv3d(inputs, width, 1, steps, bias=False)
            self.downsample = nn.Sequential(projection, nn.BatchNorm3d(width, track_running_stats=stats))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, T, H, W] -> [B, width, T', H', W']."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out: Tensor = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out)) + shortcut
        if self.final_relu:
            out = self.relu(out)
        return out


def _stage(inputs: int, width: int, *, in_time: bool, stride: int, stats: bool, last: bool = False) -> nn.Sequential:
    first = _Block(inputs, width, in_time=in_time, stride=stride, final_relu=True, stats=stats)
    second = _Block(width, width, in_time=in_time, stride=1, final_relu=not last, stats=stats)
    return nn.Sequential(first, second)


class _Trunk(nn.Module):
    """Visual trunk; its last block ends without a ReLU."""

    def __init__(self, stats: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(3, 64, (1, 7, 7), (1, 2, 2), (0, 3, 3), bias=False)
        self.bn1 = nn.BatchNorm3d(64, track_running_stats=stats)
        self.relu = nn.ReLU()
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        self.layer1 = _stage(64, 64, in_time=False, stride=1, stats=stats)
        self.layer2 = _stage(64, 128, in_time=False, stride=2, stats=stats)
        self.layer3 = _stage(128, 256, in_time=True, stride=2, stats=stats)
        self.layer4 = _stage(256, _TRUNK_CHANNELS, in_time=True, stride=2, stats=stats, last=True)

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, T, S, S] -> [B, 256, T/4, S/32, S/32]."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        out: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return out


def _audio_layers() -> Iterator[nn.Module]:
    """Layers of the audio trunk (that of SyncNet, Chung and Zisserman 2016), in the order of the checkpoint."""
    pools = {0: nn.MaxPool2d((1, 1), (1, 1)), 1: nn.MaxPool2d((3, 3), (1, 2)), 4: nn.MaxPool2d((3, 3), (2, 2))}
    inputs = 1
    for index, width in enumerate((64, 192, 384, 256, 256)):
        yield from (nn.Conv2d(inputs, width, (3, 3), padding=(1, 1)), nn.BatchNorm2d(width), nn.ReLU())
        if index in pools:
            yield pools[index]
        inputs = width
    yield from (nn.Conv2d(inputs, 512, (5, 4)), nn.BatchNorm2d(512), nn.ReLU())


def _perceptron(inputs: int, width: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, outputs))


class ReleasedNet(nn.Module):
    """The network of the release.

    In evaluation mode with `running_stats=False` the visual batch norms still normalise by the batch at hand, so
    chunks must then be scored one by one; everything else uses running statistics.

    Args:
        image_size: Pixels, side of the face crop (224).
        chunk_frames: Frames per chunk (30).
        fc_width: Hidden width of both perceptrons (4096).
        embedding: Length of the embeddings (1024).
        dropout: Dropped share in front of the heads (0.5).
        running_stats: False as released; True for the `fixed` preset.
    """

    def __init__(
        self,
        *,
        image_size: int = 224,
        chunk_frames: int = 30,
        fc_width: int = 4096,
        embedding: int = 1024,
        dropout: float = 0.5,
        running_stats: bool = False,
    ) -> None:
        super().__init__()
        side = math.ceil(image_size / 32)
        self.chunk_frames = chunk_frames
        self.netcnnaud = nn.Sequential(*_audio_layers())
        self.netfcaud = _perceptron(_AUDIO_FEATURES, fc_width, embedding)
        self.netcnnlip = _Trunk(running_stats)
        self.netfclip = _perceptron(_TRUNK_CHANNELS * side * side, fc_width, embedding)
        self.final_bn_lip = nn.BatchNorm1d(embedding)
        self.final_fc_lip = nn.Sequential(nn.Dropout(dropout), nn.Linear(embedding, 2))
        self.final_bn_aud = nn.BatchNorm1d(embedding)
        self.final_fc_aud = nn.Sequential(nn.Dropout(dropout), nn.Linear(embedding, 2))

    def initialise(self) -> None:
        """Draw weights as the release does: Kaiming normal over fan-out, biases 0, batch norms 1 and 0."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Conv3d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def forward_lip(self, lip: Tensor) -> Tensor:
        """Embed face chunks.

        Args:
            lip: [B, 1, 3, chunk_frames, S, S], ImageNet-normalised.

        Returns:
            [B, embedding].
        """
        _one_chunk(lip, 6, "lip [B, 1, 3, T, S, S]")
        features = self.netcnnlip(lip[:, 0])
        out: Tensor = self.netfclip(features.mean(dim=2).flatten(1))
        return out

    def forward_aud(self, audio: Tensor) -> Tensor:
        """Embed cepstrograms.

        Args:
            audio: [B, 1, 1, 13, 99].

        Returns:
            [B, embedding].
        """
        _one_chunk(audio, 5, "audio [B, 1, 1, 13, 99]")
        out: Tensor = self.netfcaud(self.netcnnaud(audio[:, 0]).flatten(1))
        return out

    def classify_lip(self, embedding: Tensor) -> Tensor:
        """[B, embedding] -> [B, 2] logits of the visual head."""
        out: Tensor = self.final_fc_lip(self.final_bn_lip(embedding))
        return out

    def classify_aud(self, embedding: Tensor) -> Tensor:
        """[B, embedding] -> [B, 2] logits of the audio head."""
        out: Tensor = self.final_fc_aud(self.final_bn_aud(embedding))
        return out

    def forward(self, lip: Tensor, audio: Tensor) -> Output:
        """Both embeddings and both heads; see `forward_lip` and `forward_aud` for the shapes."""
        vision, sound = self.forward_lip(lip), self.forward_aud(audio)
        return Output(vision, sound, self.classify_lip(vision), self.classify_aud(sound))


def _one_chunk(x: Tensor, dimensions: int, wanted: str) -> None:
    """The released forward only works for one chunk per item: N = 1."""
    if x.dim() != dimensions or x.shape[1] != 1:
        raise ValueError(f"expected {wanted} with one chunk per item, got {tuple(x.shape)}")


@dataclass(frozen=True, slots=True)
class TensorShape:
    """Shape and type of one tensor of a state dict."""

    shape: tuple[int, ...]
    dtype: torch.dtype


def layout_of(net: nn.Module) -> Mapping[str, TensorShape]:
    """Names, shapes and types of a network's state dict."""
    return {name: TensorShape(tuple(t.shape), t.dtype) for name, t in net.state_dict().items()}


def released_layout() -> Mapping[str, TensorShape]:
    """The state dict of the authors' checkpoints, without allocating its 491 MB."""
    with torch.device("meta"):
        return layout_of(ReleasedNet())
