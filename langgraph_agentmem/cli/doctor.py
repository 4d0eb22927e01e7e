"""`agentmem doctor`: what is wrong with a database, and what to do about it."""

from collections.abc import Sequence

import typer

from langgraph_agentmem.cli.options import AsJson, Dsn, Tenant
from langgraph_agentmem.cli.output import tell
from langgraph_agentmem.cli.terminal import in_one_line, out, report_errors
from langgraph_agentmem.memory import AgentMemory
from langgraph_agentmem.models.health import Finding, Severity

_COLORS = {"ok": "green", "warning": "yellow", "error": "red"}


@report_errors
def doctor(dsn: Dsn = None, tenant: Tenant = None, as_json: AsJson = False) -> None:
    """Look at a database and say, in a line for each check, what is wrong and what to do; exit code 1 on an error.

    Nothing is changed, and no chat model is asked. Model, embedder and so on are those of the environment.
    """
    memory = AgentMemory.open(dsn, background=False)  # without `with`, which would make or change the tables
    try:
        findings = memory.diagnose(tenant)
    finally:
        memory.close()
    say(findings, as_json=as_json)


def say(findings: Sequence[Finding], *, as_json: bool, least: Severity = "error") -> None:
    """Print findings, a line each; exit code 1 if any is as bad as that."""
    tell(findings, as_json, lambda: out.print(*map(_line, findings), sep="\n"))
    bad = {"error", least}
    if any(finding.severity in bad for finding in findings):
        raise typer.Exit(1)


def _line(finding: Finding) -> str:
    advice = f"; {in_one_line(finding.advice)}" if finding.advice else ""
    severity = f"[{_COLORS[finding.severity]}]{finding.severity:<7}[/]"
    return f"{severity}  {finding.check:<12}  {in_one_line(finding.found)}{advice}"
