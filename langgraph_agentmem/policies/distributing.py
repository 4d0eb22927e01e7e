"""Whether a database can be distributed over servers, as far as what is found of it tells."""

from langgraph_agentmem.models.health import Distribution

COMMAND = "agentmem db distribute"
_COLUMN = "external_id"


def problem(found: Distribution) -> tuple[str, str] | None:
    """Why its tables cannot be distributed by tenant, and what would be right; None where they can."""
    if not found.tables:
        return "there are no tables yet", "run `agentmem db migrate` as the owner first"
    if not found.nodes:
        return "no server of the cluster takes rows", "add one: SELECT citus_add_node('its host', 5432)"
    if guarded := [table.name for table in found.tables if table.guarded]:
        return (
            f"row-level security holds {', '.join(guarded)}, whose policies Citus does not take to other servers",
            "distribute a database without it; the statements alone hold tenants apart there",
        )
    if others := [f"{table.name} by {table.by}" for table in found.tables if table.by not in (None, _COLUMN)]:
        return (
            f"distributed by another column than {_COLUMN}: {', '.join(others)}",
            "run SELECT undistribute_table('agentmem.…') on each of them",
        )
    if found.unmanaged and not found.coordinator:
        return (
            "the coordinator is no server of its own cluster, so that Citus cannot manage LangGraph's tables there",
            "run SELECT citus_set_coordinator_host('its host', 5432)",
        )
    return None
