"""The sham: what a real clip goes through, so that being generated is all that sets a fake apart."""

from __future__ import annotations

from cmdfd.clip import REAL
from generators.generator import GeneratorSpec, Job, Outcome


class Sham:
    """Changes nothing. Real clips are jobs like any other: decoded, passed through this, harmonised, encoded."""

    spec = GeneratorSpec(
        name="sham",
        family="sham",
        summary="nothing is changed; the way of every real clip",
        modalities=(),
    )

    def generate(self, job: Job) -> Outcome:
        """Return the take as it is."""
        return Outcome(take=job.take, labels=REAL, segments=())

    def sham(self, job: Job) -> Outcome:
        """The same."""
        return self.generate(job)
