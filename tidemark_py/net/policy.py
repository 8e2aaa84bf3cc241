"""Who may talk to whom: an allow-list, default deny, and a log of every decision.

rt.net.policy.allow("deb.example.org", ports=[80, 443])
rt.net.policy.allow("*.example.net", program="/usr/bin/git")
"""

from __future__ import annotations

import fnmatch
import ipaddress
import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

__all__ = ["AuditEntry", "Policy", "Rule"]

LOG_ENTRIES = 10_000


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed. host: a name, a pattern ("*.example.org"), an address or a network ("10.0.0.0/8"). ports and
    program (the path of the executable, or a pattern): None is any."""

    host: str
    ports: frozenset[int] | None = None
    program: str | None = None

    def matches(self, host: str, port: int, program: str) -> bool:
        """Does it allow this? An empty program is an unknown one: a rule that names programs does not match it."""
        if self.ports is not None and port not in self.ports:
            return False
        if self.program is not None and not (program and fnmatch.fnmatchcase(program, self.program)):
            return False
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(self.host, strict=False)
        except ValueError:  # a name on one side or both
            return fnmatch.fnmatchcase(host.lower().rstrip("."), self.host.lower().rstrip("."))


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One decision. what: "connect", "resolve", "datagram" or "socket" (of a kind that guests
    do not have: host says which); why: the sentence a person reads."""

    time: float
    what: str
    host: str
    port: int
    pid: int
    program: str
    allowed: bool
    why: str


@dataclass(slots=True)
class Policy:
    """Rules, and what they decided. Nothing is allowed that no rule allows."""

    rules: list[Rule] = field(default_factory=list)
    log: deque[AuditEntry] = field(default_factory=lambda: deque(maxlen=LOG_ENTRIES))

    def allow(self, host: str, *, ports: Collection[int] | None = None, program: str | None = None) -> Rule:
        """Add a rule. Raises ValueError for an empty host or a port that is none."""
        if not host or any(not 0 < p < 65536 for p in ports or ()):
            raise ValueError(f"a rule wants a host and ports of 1 to 65535, not {host!r}, {ports!r}")
        rule = Rule(host, None if ports is None else frozenset(ports), program)
        self.rules.append(rule)
        return rule

    def decide(self, what: str, host: str, port: int, pid: int, program: str) -> bool:
        """Is it allowed? The decision is logged."""
        for rule in self.rules:
            if rule.matches(host, port, program) or (what == "resolve" and self._names(rule, host)):
                self.note(what, host, port, pid, program, True, f"allowed by {rule.host}")
                return True
        self.note(what, host, port, pid, program, False, "no rule allows it: rt.net.policy.allow(...)")
        return False

    @staticmethod
    def _names(rule: Rule, host: str) -> bool:
        """A name may be looked up when any port of it is allowed to anybody."""
        return Rule(rule.host).matches(host, 0, "")

    def note(self, what: str, host: str, port: int, pid: int, program: str, allowed: bool, why: str) -> None:
        """Log what was decided elsewhere."""
        self.log.append(AuditEntry(time.time(), what, host, port, pid, program, allowed, why))
