"""YAML that strangers wrote, as recipes and lists of edits are read; see `cmdfd.yaml_text`."""

from __future__ import annotations

from cmdfd.yaml_text import line_of, plain, tree_of

__all__ = ["line_of", "plain", "tree_of"]
