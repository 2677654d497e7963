"""The static site of the boards: pages that work from a file, downloads and badges."""

from leaderboards.site.build import Built, build_site

__all__ = ["Built", "build_site"]
