"""Which items a namespace holds, and listing namespaces."""

from typing import Any, Final

from langgraph_agentmem.testing.store_conformance.case import Case, same
from langgraph_agentmem.testing.store_conformance.registry import Group

contract: Final = Group("contract")

_TREE = (("a", "b", "c"), ("a", "b", "d", "e"), ("a", "b", "d", "i"), ("a", "b", "f"), ("a", "c", "f"))


async def _grow(case: Case, *namespaces: tuple[str, ...]) -> None:
    for namespace in namespaces:
        await case.store.aput(case.at(*namespace), "k", {"at": list(namespace), "mark": case.root})


async def _listed(case: Case, prefix: tuple[str, ...] = (), **arguments: Any) -> list[tuple[str, ...]]:
    """The namespaces below the case's root, without the root itself."""
    found = await case.store.alist_namespaces(prefix=case.at(*prefix), **arguments)
    return [tuple(namespace)[1:] for namespace in found]


@contract.promised("namespaces-isolated")
async def namespaces_isolated(case: Case) -> None:
    """One user's items must not be read, overwritten or deleted through another user's namespace."""
    await _grow(case, ("alice",), ("bob",), ("alice", "notes"))
    await case.store.adelete(case.at("bob"), "k")
    found = [await case.store.aget(case.at(*labels), "k") for labels in (("alice",), ("bob",), ("alice", "notes"))]
    same([item.value["at"] if item else None for item in found], [["alice"], None, ["alice", "notes"]], "the values")
    same(await case.store.aget(case.at(), "k"), None, "get in the namespace above")


@contract.promised("search-prefix-whole-labels")
async def search_prefix_whole_labels(case: Case) -> None:
    """A prefix is made of whole labels: ("a", "b") must not open ("a", "bc"), which may be somebody else's."""
    await _grow(case, ("a", "b"), ("a", "bc"), ("a", "b", "c"), ("a",), ("b", "a", "b"))
    found = [item.namespace for item in await case.search("a", "b")]
    same(sorted(found), [case.at("a", "b"), case.at("a", "b", "c")], "the namespaces that search finds")


@contract.promised("search-prefix-literal")
async def search_prefix_literal(case: Case) -> None:
    """Labels with % or _ are often user names; as patterns they would open other users' namespaces."""
    labels = ("user_1", "userX1", "user%", "user-all", "us\\er", "user*", "U_1")
    await _grow(case, *[(label, "notes") for label in labels])
    for label in labels:
        found = [item.namespace for item in await case.search(label)]
        same(found, [case.at(label, "notes")], f"the namespaces that search finds below {label!r}")


@contract.promised("search-everything")
async def search_everything(case: Case) -> None:
    """An empty prefix searches the entire store."""
    await _grow(case, ("a",), ("b", "c"))
    found = await case.store.asearch((), filter={"mark": case.root})
    same(sorted(item.namespace for item in found), [case.at("a"), case.at("b", "c")], "what an empty prefix finds")


@contract.promised("list-namespaces")
async def list_namespaces(case: Case) -> None:
    """Listing shows where there are items, each namespace once, whatever the number of its items."""
    await _grow(case, *_TREE)
    await case.store.aput(case.at(*_TREE[0]), "second", {"n": 2})
    same(sorted(await _listed(case)), sorted(_TREE), "the namespaces")


@contract.promised("list-namespaces-prefix")
async def list_namespaces_prefix(case: Case) -> None:
    """A prefix is made of whole labels, and counts the namespace itself."""
    await _grow(case, *_TREE, ("a", "bc"), ("a", "b"))
    wanted = {("a", "b"), *(namespace for namespace in _TREE if namespace[1] == "b")}
    same(set(await _listed(case, ("a", "b"))), wanted, "the namespaces below ('a', 'b')")


@contract.promised("list-namespaces-suffix")
async def list_namespaces_suffix(case: Case) -> None:
    """A suffix finds a kind of memory across users; it is made of whole labels too."""
    await _grow(case, *_TREE, ("a", "xf"), ("f",))
    same(set(await _listed(case, suffix=("f",))), {("a", "b", "f"), ("a", "c", "f"), ("f",)}, "those that end with 'f'")
    same(await _listed(case, suffix=("c", "f")), [("a", "c", "f")], "those that end with ('c', 'f')")


@contract.promised("list-namespaces-wildcard")
async def list_namespaces_wildcard(case: Case) -> None:
    """A * stands for exactly one label, in a prefix and in a suffix."""
    await _grow(case, ("u1", "v1"), ("u2", "v1"), ("u2", "x", "v1"), ("u1",), ("u1", "v2"))
    wanted = {("u1", "v1"), ("u2", "v1")}
    same(set(await _listed(case, ("*", "v1"))), wanted, "those of prefix ('*', 'v1')")
    same(await _listed(case, suffix=("u2", "*", "v1")), [("u2", "x", "v1")], "those of suffix ('u2', '*', 'v1')")


@contract.promised("list-namespaces-literal")
async def list_namespaces_literal(case: Case) -> None:
    """Only * is a wildcard; in labels, what LIKE and regular expressions treat as patterns is plain text."""
    labels = ("user_1", "userX1", "user%", "userall", "us+er", "(u)", "[ab]", "a", "^a$", "a|b", "us\\er")
    await _grow(case, *[(label,) for label in labels])
    for label in labels:
        same(await _listed(case, (label,)), [(label,)], f"those of prefix {label!r}")
        found = await case.store.alist_namespaces(prefix=case.at(), suffix=(label,))
        same(found, [case.at(label)], f"those of suffix {label!r}")


@contract.promised("list-namespaces-max-depth")
async def list_namespaces_max_depth(case: Case) -> None:
    """Deeper namespaces are cut to the depth, and each is listed once; this is LangGraph's own example."""
    await _grow(case, *_TREE)
    found = await _listed(case, ("a", "b"), max_depth=4)
    same(sorted(found), [("a", "b", "c"), ("a", "b", "d"), ("a", "b", "f")], "the namespaces to depth 4")
    same(await _listed(case, max_depth=2), [("a",)], "the namespaces to depth 2")


@contract.promised("list-namespaces-pages")
async def list_namespaces_pages(case: Case) -> None:
    """Limit and offset count listed namespaces, after those deeper than max_depth were cut."""
    await _grow(case, *[(f"n{n:02}", leaf) for n in range(7) for leaf in ("x", "y")])
    pages = [await _listed(case, max_depth=2, limit=3, offset=offset) for offset in (0, 3, 6, 9)]
    same([len(page) for page in pages], [3, 3, 1, 0], "the lengths of pages of 3")
    same(sorted(n for page in pages for n in page), [(f"n{n:02}",) for n in range(7)], "all pages")


@contract.expected("list-namespaces-sorted")
async def list_namespaces_sorted(case: Case) -> None:
    """Both of LangGraph's stores sort; without an order, pages have gaps."""
    await _grow(case, ("c",), ("a", "b"), ("b",), ("a",), ("a", "a"))
    same(await _listed(case), [("a",), ("a", "a"), ("a", "b"), ("b",), ("c",)], "the order")


@contract.expected("list-namespaces-emptied")
async def list_namespaces_emptied(case: Case) -> None:
    """A namespace whose last item was deleted is gone; otherwise users that were forgotten stay listed."""
    await _grow(case, ("a",), ("b",))
    await case.store.adelete(case.at("a"), "k")
    same(await _listed(case), [("b",)], "the namespaces after the only item of 'a' was deleted")


@contract.expected("list-namespaces-only-written")
async def list_namespaces_only_written(case: Case) -> None:
    """Reading from a namespace must not make it appear."""
    await case.store.aget(case.at("read"), "missing")
    await case.store.asearch(case.at("searched"))
    await case.store.adelete(case.at("deleted"), "missing")
    same(await _listed(case), [], "the namespaces after reading from three")
