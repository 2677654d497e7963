"""Named choices of cues, for `--cues NAME`."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Name -> the cues that it stands for.
#:
#: "avh-align": the leading silence as AVH-Align (arXiv 2412.00175) measures it, first sample at 16 kHz with |A| > 5e-4,
#: and the frames that its released code trims for it; beside them the second scalar of those who evaluate the finding
#: again: the peak of the first 30 ms (here in dB at the file's own rate, which ranks clips as the plain maximum does).
PRESETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"avh-align": ("silence.avh_lead", "silence.avh_trim", "silence.onset_30ms")}
)
