"""Which detectors there are. Names only: nothing heavy is imported before a detector is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cmdfd.errors import CmdfdError, nearest
from cmdfd.registry import Registry

if TYPE_CHECKING:
    from benchmarks.detector import Detector, DetectorSpec

DETECTORS = Registry(
    "detector",
    group="cmdfd.detectors",
    entries={
        "mds": "benchmarks.detectors.mds.detector:MDS",
        "noise_residual": "benchmarks.detectors.noise_residual.detector:NoiseResidual",
        "random": "benchmarks.detectors.floors:RandomFloor",
        "floor:container": "benchmarks.detectors.floors:ContainerFloor",
        "floor:rate": "benchmarks.detectors.floors:RateFloor",
    },
)

#: Stand beside every detector, so that no number is read without its floor.
FLOORS = ("random", "floor:container", "floor:rate")


@dataclass(frozen=True, slots=True)
class DetectorRef:
    """A detector as the user names it.

    Args:
        name: Registry name, "pkg.mod:Class" or "path/to/file.py:Class".
        preset: One of its presets.
    """

    name: str
    preset: str

    @property
    def label(self) -> str:
        """As printed: "mds:mini"; detectors with one preset only are printed by their bare name."""
        return self.name if self.preset == "default" else f"{self.name}:{self.preset}"


def resolve(text: str, preset: str | None = None) -> DetectorRef:
    """Turn "mds", "mds:mini" or "floor:container" into a reference.

    Raises:
        CmdfdError: For an unknown detector or preset, with the nearest right one.
    """
    name = text
    if name not in DETECTORS.names() and ":" in text:
        head, _, tail = text.rpartition(":")
        if head in DETECTORS.names():
            if preset not in (None, tail):
                raise CmdfdError(f"detector {text!r} and --preset {preset!r} name two presets")
            name, preset = head, tail
    spec = spec_of(name)
    chosen = preset or spec.presets[0]
    if chosen not in spec.presets:
        raise CmdfdError(f"unknown preset {chosen!r} of detector {name!r}: {nearest(chosen, spec.presets)}")
    return DetectorRef(name, chosen)


def spec_of(name: str) -> DetectorSpec:
    """Spec of a detector by name."""
    spec: DetectorSpec = DETECTORS.load(name).spec
    return spec


def make(ref: DetectorRef, seed: int = 0, **options: Any) -> Detector:
    """Construct a detector; its constructor only stores."""
    detector: Detector = DETECTORS.load(ref.name)(preset=ref.preset, seed=seed, **options)
    return detector
