"""Runs checks, each on a store and in a namespace of its own, and cuts off those that hang."""

import asyncio
from collections.abc import Iterable
from uuid import uuid4

from langgraph_agentmem.testing.store_conformance.case import Case, NotMet, StoreFactory, Unsupported, index_of
from langgraph_agentmem.testing.store_conformance.embedder import WordEmbedder
from langgraph_agentmem.testing.store_conformance.registry import Capability, capabilities, capability
from langgraph_agentmem.testing.store_conformance.report import Report, Result, Status

_LONGEST_DETAIL = 240


async def run(
    make: StoreFactory, only: Iterable[str] | None = None, *, seconds: float = 60.0, at_once: int = 1
) -> Report:
    """Try capabilities.

    Args:
        make: Opens the stores.
        only: The names of the capabilities to try; all of them by default.
        seconds: How long one check may take.
        at_once: How many checks run at the same time; more is quicker, as those of expiry mostly wait.

    Raises:
        ValueError: There is no capability of such a name.

    Examples:
        >>> report = await run(stores, ["put-replaces", "put-keeps-created-at"])
        >>> report.summary()
        'passed 1 of 2 promised and 0 of 0 expected capabilities'
    """
    chosen = capabilities() if only is None else [capability(name) for name in only]
    room = asyncio.Semaphore(at_once)

    async def checked(each: Capability) -> Result:
        async with room:
            return await check(each, make, seconds=seconds)

    return Report(tuple(await asyncio.gather(*map(checked, chosen))))


async def check(what: Capability | str, make: StoreFactory, *, seconds: float = 60.0, grace: float = 5.0) -> Result:
    """Try one capability.

    Whatever a store raises is in the result; only cancelling this call, and what ends the process, come through.

    Args:
        what: The capability or its name.
        make: Opens the store.
        seconds: How long it may take.
        grace: How many seconds it may take to end when it is cut off, before it is left behind.

    Raises:
        ValueError: There is no capability of such a name.

    Examples:
        >>> (await check("put-replaces", stores, seconds=10)).status
        'passed'
    """
    what = capability(what) if isinstance(what, str) else what
    task = asyncio.create_task(_try(what, make))
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            return Result(capability=what, status="failed", detail=f"did not finish within {seconds:g} seconds")
        return await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=grace)  # a task that shields itself is left behind


async def _try(what: Capability, make: StoreFactory) -> Result:
    try:
        await _perform(what, make)
    except Unsupported as error:
        return _result(what, "unsupported", str(error))
    except NotMet as error:
        return _result(what, "failed", str(error))
    except (Exception, asyncio.CancelledError) as error:
        if isinstance(error, asyncio.CancelledError) and _is_being_cancelled():
            raise
        return _result(what, "error", f"{type(error).__name__}: {error}")
    return Result(capability=what, status="passed")


async def _perform(what: Capability, make: StoreFactory) -> None:
    embedder = WordEmbedder()
    root = f"{what.name}-{uuid4().hex[:12]}"
    if not what.opens:
        await what.check(Case(root=root, make=make, store=None, embedder=embedder))
        return
    fields = None if what.fields == ("$",) else what.fields
    index = index_of(embedder, fields) if what.fields else None
    async with make(index=index, ttl=None if what.ttl is None else dict(what.ttl)) as store:
        if what.group == "ttl" and not store.supports_ttl:
            raise Unsupported("supports_ttl is False")
        await what.check(Case(root=root, make=make, store=store, embedder=embedder))


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _result(what: Capability, status: Status, detail: str) -> Result:
    line = " ".join(detail.split())
    short = line if len(line) <= _LONGEST_DETAIL else f"{line[: _LONGEST_DETAIL - 1]}…"
    return Result(capability=what, status=status, detail=short)
