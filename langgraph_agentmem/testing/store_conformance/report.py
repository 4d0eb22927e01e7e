"""What a run found, and how it is shown."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from langgraph_agentmem.testing.store_conformance.registry import Capability

Status: TypeAlias = Literal["passed", "failed", "unsupported", "error"]

_SHOWN: dict[Status, str] = {"passed": "yes", "failed": "**no**", "unsupported": "unsupported", "error": "**error**"}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one check.

    Attributes:
        capability: What was tried.
        status: "failed" if the store did something else, "unsupported" if it says that it does not offer this, "error"
            if something was raised that the check did not foresee.
        detail: One line that says what happened instead; empty if it passed.

    Examples:
        >>> result = await check("put-keeps-created-at", stores)
        >>> result.status
        'failed'
    """

    capability: Capability
    status: Status
    detail: str = ""


@dataclass(frozen=True)
class Report:
    """What came of a run.

    Attributes:
        results: One result for each capability that was tried, group by group.

    Examples:
        >>> report = await run(stores, ["put-replaces", "default-ttl"])
        >>> report.counts()
        {'passed': 1, 'failed': 0, 'unsupported': 1, 'error': 0}
    """

    results: tuple[Result, ...]

    @property
    def failures(self) -> list[Result]:
        """The results that are "failed" or "error"."""
        return [result for result in self.results if result.status in ("failed", "error")]

    def status_of(self, name: str) -> Status | None:
        """The status of a capability, or None if it was not tried."""
        return next((result.status for result in self.results if result.capability.name == name), None)

    def counts(self) -> dict[Status, int]:
        """How many results have each status."""
        return {status: sum(result.status == status for result in self.results) for status in _SHOWN}

    def summary(self) -> str:
        """One line, with the numbers of what is promised and what is expected."""
        parts = [
            f"{sum(result.status == 'passed' for result in part)} of {len(part)} {kind}"
            for kind, part in (
                ("promised", [result for result in self.results if result.capability.promised]),
                ("expected", [result for result in self.results if not result.capability.promised]),
            )
        ]
        return f"passed {' and '.join(parts)} capabilities"

    def table(self) -> str:
        """A Markdown table of all results, with what went wrong."""
        rows = [[*_named(result.capability), _SHOWN[result.status], _cell(result.detail)] for result in self.results]
        return _markdown(["Capability", "Group", "By", "Result", "What happened"], rows)


def comparison(reports: Mapping[str, Report]) -> str:
    """A Markdown table of the capabilities that were tried, why they matter, and a column for each named report.

    Examples:
        >>> report = await run(stores, ["put-replaces"])
        >>> print(comparison({"mine": report}).splitlines()[0])
        | Capability | Group | By | Why it matters | mine |
    """
    tried = {result.capability.name: result.capability for report in reports.values() for result in report.results}
    rows = [
        [*_named(capability), _cell(capability.reason), *(_status(report, name) for report in reports.values())]
        for name, capability in tried.items()
    ]
    return _markdown(["Capability", "Group", "By", "Why it matters", *reports], rows)


def _status(report: Report, name: str) -> str:
    status = report.status_of(name)
    return _SHOWN[status] if status else "not tried"


def _named(capability: Capability) -> list[str]:
    return [f"`{capability.name}`", capability.group, "promised" if capability.promised else "expected"]


def _cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _markdown(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" if line[0] != "---" else f"|{'|'.join(line)}|" for line in lines)
