"""Embedding models as the database knows them: how their vectors are stored, compared and indexed."""

from typing import LiteralString, NamedTuple

from psycopg import AsyncConnection, sql
from psycopg.rows import DictRow

from langgraph_agentmem.errors import EmbeddingMismatchError
from langgraph_agentmem.models.base import Json, Value
from langgraph_agentmem.models.vectors import VectorIndex
from langgraph_agentmem.policies import fingerprints
from langgraph_agentmem.storage.driver.migrate import wait_for_turn
from langgraph_agentmem.storage.driver.rows import as_json
from langgraph_agentmem.storage.driver.session import as_parts
from langgraph_agentmem.storage.driver.statements import statements, template

_SQL = statements("vectors")
ANN_SETTINGS = {
    "hnsw.iterative_scan": "strict_order",
    "hnsw.ef_search": "40",
    "ivfflat.iterative_scan": "relaxed_order",
    "ivfflat.probes": "10",
}
"""An HNSW index looks at as many candidates as a search takes, and an IVFFlat index at ten lists first."""
VIEW_SETTINGS = ANN_SETTINGS | {"hnsw.max_scan_tuples": "2147483647"}
"""For a search in the view over a model's vectors, which goes on until there are enough rows that pass."""
VIEW_SET_UP: str = template("vectors", "set_up_vector_view").format(settings=as_parts(VIEW_SETTINGS)).as_string(None)
"""What a transaction that reads that view begins with."""
_OPERATORS: dict[str, LiteralString] = {"cosine": "<=>", "l2": "<->", "inner_product": "<#>"}
_CLASSES: dict[str, LiteralString] = {"cosine": "cosine_ops", "l2": "l2_ops", "inner_product": "ip_ops"}
_SIMILARITIES: dict[str, LiteralString] = {
    "cosine": "greatest(coalesce(nullif(1 - ({0}), 'NaN'), 0), 0)",
    "l2": "1 / (1 + ({0}))",
    "inner_product": "1 / (1 + exp(least(greatest({0}, -700), 700)))",
}
"""Similarities of 0 to 1 from distances; pgvector's inner product is a negative one, and exp fails beyond 700."""
_MAX_INDEXED = {"halfvec": 4000, "vector": 2000}
"""Dimensions that pgvector can index; beyond them the search is exact."""

Connected = AsyncConnection[DictRow]


class VectorForm(NamedTuple):
    """The properties of vectors that a statement depends on."""

    model: int
    dimensions: int
    vector_type: str
    distance: str
    index_kind: str
    floor: float


class EmbeddingModel(VectorIndex):
    """An embedding model that a database's vectors come from."""

    id: int
    name: str
    dimensions: int
    floor: float

    @property
    def form(self) -> VectorForm:
        """The properties of its vectors that a statement depends on."""
        return VectorForm(self.id, self.dimensions, self.vector_type, self.distance, self.index_kind, self.floor)


def parts(form: VectorForm | None) -> dict[str, sql.Composable]:
    """What a statement needs to compare a model's vectors with `%(vector)s`.

    The statement must not name that parameter otherwise: as it is, the server reads it once, not once a row.

    Returns:
        `model` (its id), `distance` (of chunk c), `similarity` (of chunk c, 0 to 1) and `floor` (the similarity of
        unrelated texts). Without a model, no chunk is compared.
    """
    if form is None:
        nothing = sql.SQL("NULL::float8")
        return {"model": sql.Literal(-1), "distance": nothing, "similarity": nothing, "floor": sql.Literal(0.0)}
    distance = sql.SQL("{column}::{type} {operator} %(vector)s::{type}").format(
        column=sql.SQL("c.") + _column(form.vector_type),
        type=_type(form.vector_type, form.dimensions),
        operator=sql.SQL(_OPERATORS[form.distance]),
    )
    return {
        "model": sql.Literal(form.model),
        "distance": distance,
        "similarity": sql.SQL(_SIMILARITIES[form.distance]).format(distance),
        "floor": sql.Literal(form.floor),
    }


class Registration(Value):
    """An embedding model that is to be the database's.

    Args:
        name: The embedder's name.
        dimensions: Of its vectors.
        index: How to store and index them; as they are, or else by default, if None.
        replace: Whether it is to take the place of another one, when all vectors were computed again.
    """

    name: str
    dimensions: int
    index: VectorIndex | None
    replace: bool


async def registered_embedding_model(connection: Connected, wanted: Registration) -> EmbeddingModel | None:
    """The database's embedding model, if it is this one; None if this one is yet to be registered, or to be used.

    Raises:
        EmbeddingMismatchError: The vectors in the database come from another model, or are stored in another way.
    """
    newest = await model_in_use(connection)
    if newest is None:
        return None
    problem = mismatch(newest, wanted.name, wanted.dimensions, wanted.index)
    if problem is None:
        return newest
    if not wanted.replace:
        raise problem
    return None


async def register_embedding_model(connection: Connected, wanted: Registration, floor: float) -> EmbeddingModel:
    """An embedding model as the database knows it, registered on first use, with its index.

    The first one is in use at once. One that replaces another is not yet: see `storage.reembedding.take_over`.

    Args:
        connection: In autocommit mode, not in a pipeline.
        wanted: The model.
        floor: How similar its vectors of unrelated texts are; see `embedding.measured_floor`.

    Raises:
        EmbeddingMismatchError: As `registered_embedding_model`.
    """
    async with connection.transaction():
        # one at a time, and not during a migration, which may change the table that the index is made on
        await wait_for_turn(connection)
        if (known := await registered_embedding_model(connection, wanted)) is not None:
            return known
        index = wanted.index or VectorIndex()
        params = {"name": wanted.name, "dimensions": wanted.dimensions, "floor": floor, **index.model_dump()}
        params |= {"index_options": as_json(index.index_options), "first": await model_in_use(connection) is None}
        added = await (await connection.execute(_SQL["add_embedding_model"], params)).fetchone()
        model = EmbeddingModel.model_validate(added)
        for statement in index_of(model).values():
            await connection.execute(statement)
        return model


async def model_in_use(connection: Connected) -> EmbeddingModel | None:
    """The embedding model that the database's vectors come from; None where none was registered yet."""
    row = await (await connection.execute(_SQL["newest_embedding_model"])).fetchone()
    return EmbeddingModel.model_validate(row) if row else None


def _as_index(model: EmbeddingModel) -> VectorIndex:
    return VectorIndex(**model.model_dump(include=set(VectorIndex.model_fields)))


def mismatch(
    newest: EmbeddingModel, name: str, dimensions: int, index: VectorIndex | None
) -> EmbeddingMismatchError | None:
    """Why an embedder does not fit the model in use; None if it does."""
    same_model = fingerprints.same(newest.name, name) and newest.dimensions == dimensions
    if same_model and index in (None, _as_index(newest)):
        return None
    if same_model and index is not None:
        return EmbeddingMismatchError(
            f"this database's vectors are kept as {_shown(_as_index(newest))}, but the index given asks for "
            f"{_shown(index)}; leave that out, or pass reembed=True to compute all vectors again"
        )
    return EmbeddingMismatchError(
        f"this database holds vectors of {newest.name!r} with {newest.dimensions} dimensions, but the "
        f"embedder given is {name!r} with {dimensions}; open it with the former, use another database, or pass "
        "reembed=True to compute all vectors again with the new one"
    )


def _shown(index: VectorIndex) -> str:
    options: Json = index.index_options
    return f"{index.vector_type}, {index.distance}, {index.index_kind}{f' {options}' if options else ''}"


def index_of(model: EmbeddingModel, tenant: int | None = None) -> dict[str, sql.Composed]:
    """The statement that makes the index over a model's vectors, by the index's name; empty where it has none.

    Args:
        model: The model.
        tenant: The number of the tenant who is to have one for itself, which is built while others write; all tenants
            if None.
    """
    # not indexed: its searches compare all of a tenant's vectors, which is right, only slower
    if model.index_kind == "flat" or model.dimensions > _MAX_INDEXED[model.vector_type]:
        return {}
    options = [sql.SQL("{} = {}").format(sql.Identifier(k), sql.Literal(v)) for k, v in model.index_options.items()]
    own = tenant is not None
    name = f"memory_chunk_vectors_{model.id}{suffix(tenant) if own else ''}"
    statement = template("vectors", "create_vector_index").format(
        concurrently=sql.SQL("CONCURRENTLY ") if own else sql.SQL(""),
        index=sql.Identifier(name),
        kind=sql.Identifier(model.index_kind),
        column=_column(model.vector_type),
        type=_type(model.vector_type, model.dimensions),
        operators=sql.Identifier(f"{model.vector_type}_{_CLASSES[model.distance]}"),
        options=sql.SQL("WITH ({})").format(sql.SQL(", ").join(options)) if options else sql.SQL(""),
        model=sql.Literal(model.id),
        of_tenant=sql.SQL(" AND ") + of_tenant(tenant) if tenant is not None else sql.SQL(""),
    )
    return {name: statement}


def vector_view(model: EmbeddingModel) -> str:
    """The name of the view over a model's vectors, in the schema `agentmem`."""
    return f"vectors_{model.id}"


async def has_vector_view(connection: Connected, model: EmbeddingModel) -> bool:
    """Whether there is the view over a model's vectors."""
    params = {"view": f"agentmem.{vector_view(model)}"}
    row = await (await connection.execute(_SQL["find_view"], params)).fetchone()
    return row is not None and row["found"]


async def make_vector_view(connection: Connected, model: EmbeddingModel) -> None:
    """Make the view over a model's vectors, unless somebody else was faster.

    Args:
        connection: In autocommit mode, not in a pipeline.
        model: The model.
    """
    async with connection.transaction():
        # one at a time, as for indexes
        await wait_for_turn(connection)
        if not await has_vector_view(connection, model):
            await connection.execute(
                template("vectors", "create_vector_view").format(
                    view=sql.Identifier("agentmem", vector_view(model)),
                    column=_column(model.vector_type),
                    type=_type(model.vector_type, model.dimensions),
                    tenant=template("vectors", "view_tenant"),
                    model=sql.Literal(model.id),
                )
            )


def suffix(tenant: int) -> str:
    """What the names of a tenant's own indexes end with, by the number that stands for it."""
    return f"_{tenant % 2**64:x}"


def of_tenant(tenant: int, chunk: LiteralString = "") -> sql.Composed:
    """Which chunks are in a tenant's own indexes, by the number that stands for it."""
    return template("tenant_indexes", "of_tenant").format(chunk=sql.SQL(chunk), tenant=sql.Literal(tenant))


def _column(vector_type: str) -> sql.SQL:
    return sql.SQL("embedding") if vector_type == "halfvec" else sql.SQL("full_embedding")


def _type(vector_type: str, dimensions: int) -> sql.Composable:
    names: dict[str, LiteralString] = {"halfvec": "halfvec({})", "vector": "vector({})"}
    return sql.SQL(names[vector_type]).format(sql.Literal(dimensions))
