"""Floors: what is reached without looking at a picture or hearing a sound. Every AUC stands beside them."""

from benchmarks.detectors.floors.detectors import ContainerFloor, RandomFloor, RateFloor

__all__ = ["ContainerFloor", "RandomFloor", "RateFloor"]
