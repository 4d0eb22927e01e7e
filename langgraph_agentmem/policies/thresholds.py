"""When a memory is due."""


def consolidation_threshold(average_updates: float, section_count: int, max_pending_updates: int) -> float:
    """Pending updates from which a memory is consolidated: average × sections, but at most the cap."""
    return min(average_updates * max(section_count, 1), float(max_pending_updates))


def is_due(pending_updates: int, threshold: float) -> bool:
    """Whether the pending updates reach the threshold."""
    return pending_updates > 0 and pending_updates >= threshold
