"""Whether a database holds tenants apart by itself, as far as the role that asks is concerned."""

from langgraph_agentmem.models.health import RowSecurity

MIGRATE = "run `agentmem db migrate --row-security` as the owner"
CONNECT = (
    "connect as a role that neither owns the tables, nor is a superuser, nor has BYPASSRLS, nor inherits the rights of "
    "agentmem_lookups; `agentmem db roles` makes such roles"
)


def problem(found: RowSecurity) -> tuple[str, str] | None:
    """Why tenants are not held apart from each other, and what would be right; None where they are."""
    if lacking := [*found.unguarded, *found.open_views]:
        return f"policies are missing from {', '.join(lacking)}", MIGRATE
    if not found.held or found.inherits:
        return f"no policy holds the role {found.role!r}", CONNECT
    return None
