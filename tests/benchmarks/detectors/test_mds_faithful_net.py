"""The released network: names and shapes of the checkpoint, layer order, batch statistics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from benchmarks.detectors.mds.faithful_net import ReleasedNet, layout_of, released_layout

SMALL = {"image_size": 64, "fc_width": 24, "embedding": 12}


def randomised(net: ReleasedNet, seed: int = 0) -> ReleasedNet:
    """Random values everywhere, running statistics included, so that no layer is an identity."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if name.endswith("running_var"):
                tensor.copy_(torch.rand(tensor.shape, generator=draw) + 0.5)
            elif tensor.is_floating_point():
                scale = 0.5 if tensor.dim() == 1 else (2 / tensor[0].numel()) ** 0.5
                tensor.copy_(torch.randn(tensor.shape, generator=draw) * scale)
    return net.eval()


def reference_trunk(state, x):
    """Second way: the visual trunk as plain functions over the state dict, batch statistics throughout."""

    def norm(prefix, x):
        return F.batch_norm(x, None, None, state[f"{prefix}.weight"], state[f"{prefix}.bias"], training=True)

    def block(prefix, x, stride, padding, last):
        out = F.relu(norm(f"{prefix}.bn1", F.conv3d(x, state[f"{prefix}.conv1.weight"], None, stride, padding)))
        out = norm(f"{prefix}.bn2", F.conv3d(out, state[f"{prefix}.conv2.weight"], None, 1, padding))
        if f"{prefix}.downsample.0.weight" in state:
            x = norm(f"{prefix}.downsample.1", F.conv3d(x, state[f"{prefix}.downsample.0.weight"], None, stride))
        return out + x if last else F.relu(out + x)

    x = F.relu(norm("bn1", F.conv3d(x, state["conv1.weight"], None, (1, 2, 2), (0, 3, 3))))
    x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
    flat, deep = (0, 1, 1), (1, 1, 1)
    for stage, stride, padding in ((1, 1, flat), (2, (1, 2, 2), flat), (3, 2, deep), (4, 2, deep)):
        x = block(f"layer{stage}.0", x, stride, padding, last=False)
        x = block(f"layer{stage}.1", x, 1, padding, last=stage == 4)
    return F.avg_pool3d(x, (8, 1, 1), stride=1).flatten(1)


def reference_audio(state, x):
    """Second way: the audio trunk, with running statistics."""

    def unit(x, conv, padding):
        x = F.conv2d(x, state[f"{conv}.weight"], state[f"{conv}.bias"], 1, padding)
        norm = {key: state[f"{conv + 1}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")}
        return F.relu(F.batch_norm(x, norm["running_mean"], norm["running_var"], norm["weight"], norm["bias"]))

    state = {(tuple(name.split(".", 1))): tensor for name, tensor in state.items()}
    state = {f"{int(index)}.{rest}": tensor for (index, rest), tensor in state.items()}
    x = unit(x, 0, 1)
    x = F.max_pool2d(unit(x, 4, 1), (3, 3), (1, 2))
    x = unit(unit(x, 8, 1), 11, 1)
    x = F.max_pool2d(unit(x, 14, 1), (3, 3), (2, 2))
    return unit(x, 18, 0).flatten(1)


def reference_perceptron(state, x):
    x = F.linear(x, state["0.weight"], state["0.bias"])
    x = F.batch_norm(x, state["1.running_mean"], state["1.running_var"], state["1.weight"], state["1.bias"])
    return F.linear(F.relu(x), state["3.weight"], state["3.bias"])


def part(state, prefix):
    return {name.removeprefix(prefix): t for name, t in state.items() if name.startswith(prefix)}


def test_layout_equals_the_released_tensor_list(shared_checkpoints: Path) -> None:
    rows = [line.split("\t") for line in (shared_checkpoints / "mds.tsv").read_text().splitlines()[1:]]
    listed = {}
    for name, shape, dtype in rows:
        size = () if shape == "scalar" else tuple(int(n) for n in shape.split("x"))
        listed[name] = (size, getattr(torch, dtype))
    ours = {name: (t.shape, t.dtype) for name, t in released_layout().items()}
    assert ours == listed
    assert list(ours) == list(listed), "the order of the state dict differs"


def test_parameter_counts_of_the_parts() -> None:
    with torch.device("meta"):
        net = ReleasedNet()
    counts = {name: sum(p.numel() for p in module.parameters()) for name, module in net.named_children()}
    assert counts["netcnnaud"] == pytest.approx(4.876e6, rel=1e-3)
    assert counts["netfcaud"] == pytest.approx(48.248e6, rel=1e-4)
    assert counts["netcnnlip"] == pytest.approx(14.058e6, rel=1e-4)
    assert counts["netfclip"] == pytest.approx(55.588e6, rel=1e-4)
    heads = sum(counts[f"final_{kind}_{side}"] for kind in ("bn", "fc") for side in ("lip", "aud"))
    assert heads == 8196
    assert sum(counts.values()) == pytest.approx(122.78e6, rel=1e-4)


def test_forward_equals_the_second_formula() -> None:
    net = randomised(ReleasedNet(**SMALL))
    draw = torch.Generator().manual_seed(1)
    lip = torch.randn((1, 1, 3, 30, 64, 64), generator=draw)
    audio = torch.randn((2, 1, 1, 13, 99), generator=draw)
    state = net.state_dict()
    with torch.inference_mode():
        seen, heard = net.forward_lip(lip), net.forward_aud(audio)
        wanted = reference_perceptron(part(state, "netfclip."), reference_trunk(part(state, "netcnnlip."), lip[:, 0]))
        torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)
        wanted = reference_perceptron(part(state, "netfcaud."), reference_audio(part(state, "netcnnaud."), audio[:, 0]))
        torch.testing.assert_close(heard, wanted, atol=1e-4, rtol=1e-4)
        head = part(state, "final_bn_aud.")
        normed = F.batch_norm(heard, head["running_mean"], head["running_var"], head["weight"], head["bias"])
        logits = F.linear(normed, state["final_fc_aud.1.weight"], state["final_fc_aud.1.bias"])
        torch.testing.assert_close(net.classify_aud(heard), logits, atol=1e-5, rtol=1e-4)


def test_trunk_sizes_are_those_of_the_table() -> None:
    seen = {}
    with torch.device("meta"):
        net = ReleasedNet()
        for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
            getattr(net.netcnnlip, name).register_forward_hook(
                lambda _m, _i, out, name=name: seen.__setitem__(name, tuple(out.shape[1:]))
            )
        net.netcnnaud.register_forward_hook(lambda _m, _i, out: seen.__setitem__("audio", tuple(out.shape[1:])))
        output = net.eval()(torch.empty(1, 1, 3, 30, 224, 224), torch.empty(1, 1, 1, 13, 99))
    assert seen == {
        "conv1": (64, 30, 112, 112),
        "maxpool": (64, 30, 56, 56),
        "layer1": (64, 30, 56, 56),
        "layer2": (128, 30, 28, 28),
        "layer3": (256, 15, 14, 14),
        "layer4": (256, 8, 7, 7),
        "audio": (512, 1, 21),
    }
    assert output.lip.shape == output.audio.shape == (1, 1024)
    assert output.lip_logits.shape == output.audio_logits.shape == (1, 2)


def test_last_block_has_no_relu_and_the_one_before_has() -> None:
    net = randomised(ReleasedNet(**SMALL))
    x = torch.randn((1, 3, 30, 64, 64), generator=torch.Generator().manual_seed(2))
    seen = {}
    for index in (0, 1):
        net.netcnnlip.layer4[index].register_forward_hook(lambda _m, _i, out, k=index: seen.__setitem__(k, out))
    with torch.inference_mode():
        net.netcnnlip(x)
    assert seen[0].min() == 0 and seen[1].min() < 0


@pytest.mark.parametrize(("running_stats", "same"), [(False, False), (True, True)])
def test_only_running_statistics_make_a_chunk_independent_of_its_batch(running_stats: bool, same: bool) -> None:
    net = randomised(ReleasedNet(**SMALL, running_stats=running_stats))
    draw = torch.Generator().manual_seed(3)
    lip = torch.randn((2, 1, 3, 30, 64, 64), generator=draw) * torch.tensor([1.0, 3.0]).view(2, 1, 1, 1, 1, 1)
    with torch.inference_mode():
        alone, together = net.forward_lip(lip[:1])[0], net.forward_lip(lip)[0]
    assert torch.allclose(alone, together, atol=1e-3) is same


def test_initialisation_is_kaiming_over_fan_out() -> None:
    torch.manual_seed(0)
    net = ReleasedNet(**SMALL)
    net.initialise()
    kernel = net.netcnnaud[4].weight
    assert kernel.std().item() == pytest.approx((2 / (192 * 9)) ** 0.5, rel=0.05)
    assert all(not bias.any() for name, bias in net.named_parameters() if name.endswith("bias"))
    assert all((w == 1).all() for name, w in net.named_parameters() if ".bn" in name and name.endswith("weight"))


def test_more_than_one_chunk_per_item_is_refused() -> None:
    net = ReleasedNet(**SMALL).eval()
    with pytest.raises(ValueError, match="one chunk per item"):
        net.forward_lip(torch.zeros(1, 2, 3, 30, 64, 64))
    with pytest.raises(ValueError, match="one chunk per item"):
        net.forward_aud(torch.zeros(1, 1, 13, 99))


@pytest.mark.slow
def test_full_size_forward_equals_the_second_formula() -> None:
    net = randomised(ReleasedNet())
    lip = torch.randn((1, 1, 3, 30, 224, 224), generator=torch.Generator().manual_seed(4))
    state = net.state_dict()
    with torch.inference_mode():
        seen = net.forward_lip(lip)
        wanted = reference_perceptron(part(state, "netfclip."), reference_trunk(part(state, "netcnnlip."), lip[:, 0]))
    torch.testing.assert_close(seen, wanted, atol=1e-4, rtol=1e-4)
    assert layout_of(net) == released_layout()
