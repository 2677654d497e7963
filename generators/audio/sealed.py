"""A stranger's model shut in: no network, no question to the user, no chance but the seed's, one thread."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The variable by which Coqui TTS is told that its models' terms were accepted.
AGREED = "COQUI_TOS_AGREED"


@contextlib.contextmanager
def offline(*, agreed: bool = False) -> Iterator[None]:
    """No host name is looked up and no question asked while this lasts.

    Args:
        agreed: Whether the user accepted the model's terms; only then Coqui is told so.
    """
    before, hub = os.environ.get(AGREED), sys.modules.get("huggingface_hub.constants")
    look_up, hub_offline = socket.getaddrinfo, getattr(hub, "HF_HUB_OFFLINE", None)

    def refuse(*_: Any, **__: Any) -> Any:
        raise OSError("a build downloads nothing")

    if agreed:
        os.environ[AGREED] = "1"
    if hub is not None:  # so that the Hub's client takes what is cached at once
        hub.__dict__["HF_HUB_OFFLINE"] = True
    socket.getaddrinfo = refuse
    try:
        yield
    finally:
        socket.getaddrinfo = look_up
        if hub is not None:
            hub.__dict__["HF_HUB_OFFLINE"] = hub_offline
        if agreed and before is None:
            os.environ.pop(AGREED, None)


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """All of a model's sources of chance set, one thread; afterwards as before."""
    import torch

    state, legacy, threads = random.getstate(), np.random.get_state(), torch.get_num_threads()  # noqa: NPY002
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002 - Griffin and Lim's first phase is drawn from it
        torch.manual_seed(seed)
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            random.setstate(state)
            np.random.set_state(legacy)  # noqa: NPY002
