"""`noise_residual`: a small classical baseline that finds patches whose high-pass residual is unlike the picture's."""

from benchmarks.detectors.noise_residual.detector import NoiseResidual

__all__ = ["NoiseResidual"]
