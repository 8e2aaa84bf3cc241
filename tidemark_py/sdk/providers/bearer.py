"""Anonymous tokens: a source that answers a 401 with a token from where the server says, and asks again.

Follows RFC 6750 and the OCI distribution specification's token flow (pull, nobody's password). Tokens are kept per
scope for the life of this object. A page on another origin sees the challenge only when the server exposes it
(Access-Control-Expose-Headers: WWW-Authenticate).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from ...errors import LayerError
from .contract import Response, Source

__all__ = ["Bearer"]


class Bearer:
    """Source around a source. used: some server wanted a token."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._tokens: dict[str, str] = {}  # scheme://host -> the latest token
        self.used = False

    def absolute(self, url: str) -> str:
        """As Source has it."""
        return self._source.absolute(url)

    async def get(self, url: str, start: int = 0, end: int = 0, headers: Mapping[str, str] | None = None) -> Response:
        """As Source has it. Raises LayerError when the server wants more than an anonymous token."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        response = await self._source.get(url, start, end, self._with_token(origin, headers))
        if response.status != 401:
            return response
        self._tokens[origin] = await self._ask(url, response.headers.get("www-authenticate", ""))
        self.used = True
        return await self._source.get(url, start, end, self._with_token(origin, headers))

    def _with_token(self, origin: str, headers: Mapping[str, str] | None) -> dict[str, str]:
        token = self._tokens.get(origin)
        return {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}

    async def _ask(self, url: str, challenge: str) -> str:
        parts = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
        if not challenge.lower().startswith("bearer ") or not parts.get("realm"):
            why = challenge or "it does not say how, or does not let pages read it (Access-Control-Expose-Headers)"
            raise LayerError(f"{url}: the server wants a login, which is not known here ({why})")
        query = urlencode({k: parts[k] for k in ("service", "scope") if k in parts})
        realm = parts["realm"]
        answer = await self._source.get(f"{realm}{'&' if '?' in realm else '?'}{query}")
        try:
            found = json.loads(answer.data) if answer.status == 200 else {}
        except ValueError:
            found = {}
        token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
        if not isinstance(token, str) or not token:
            raise LayerError(f"{url}: {realm} gives no token to everybody (it says {answer.status})")
        return token
