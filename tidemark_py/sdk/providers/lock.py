"""The lockfile: every file of an installation by its hash, and the hash of the tree they make.

JSON, written the same way each time. Who installs by it asks no index and no mirror what there is: each item must have
its bytes and its hash, and the tree must come out the same, or nothing is applied.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from ...errors import LayerError
from .contract import Item

__all__ = ["Lock", "tree_sha256"]

FORMAT, VERSION = "tidemark-lock", 1


def tree_sha256(layers: list[str]) -> str:
    """Of the identities of the layers, in order."""
    return hashlib.sha256("\n".join(layers).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Lock:
    """What was installed. provider: what was asked for."""

    provider: dict[str, Any]
    items: list[Item] = field(default_factory=list)
    tree: str = ""

    def dumps(self) -> str:
        """As text."""
        whole = {
            "format": FORMAT,
            "version": VERSION,
            "provider": self.provider,
            "tree_sha256": self.tree,
            "items": [i.to_json() for i in self.items],
        }
        return json.dumps(whole, indent=1, sort_keys=True) + "\n"

    @classmethod
    def loads(cls, text: str | bytes) -> Lock:
        """Raises LayerError."""
        try:
            whole = json.loads(text)
        except ValueError as e:
            raise LayerError(f"the lockfile is malformed: {e}") from None
        if not isinstance(whole, dict) or whole.get("format") != FORMAT:
            raise LayerError("this is no lockfile: it does not say so")
        if whole.get("version") != VERSION:
            raise LayerError(f"the lockfile is of version {whole.get('version')}, this is {VERSION}: make it anew")
        rows, provider, tree = whole.get("items"), whole.get("provider"), whole.get("tree_sha256")
        if not isinstance(rows, list) or not isinstance(provider, dict) or not isinstance(tree, str):
            raise LayerError("the lockfile is malformed")
        items = [Item.from_json(row) for row in rows]
        if any(len(i.sha256) != 64 for i in items):
            raise LayerError("the lockfile is malformed: an item has no sha256")
        return cls(provider, items, tree)
