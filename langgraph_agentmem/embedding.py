"""Embeds texts, and refuses what cannot be vectors."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, TypeAlias, cast

from langchain_core.embeddings import Embeddings
from langgraph.store.base import ensure_embeddings
from pydantic import ValidationError

from langgraph_agentmem.errors import AgentMemoryError, ConfigurationError, EmbeddingError, MissingDependencyError
from langgraph_agentmem.local import LocalEmbeddings
from langgraph_agentmem.models.vectors import VectorIndex
from langgraph_agentmem.policies import validation
from langgraph_agentmem.policies.fingerprints import fingerprinted
from langgraph_agentmem.policies.vector_cache import VectorCache, text_hash
from langgraph_agentmem.policies.weighing import undated
from langgraph_agentmem.storage.driver.offloading import worked

Index: TypeAlias = str | Embeddings | Callable[..., Any] | Mapping[str, Any]
"""An embedder: "local", "local:model", "provider:model", LangChain embeddings, a function, or LangGraph's index
configuration of one."""
_AT_ONCE = 256
"""Texts in one call of an embedder; what a call has brought is kept where a later one fails."""


_MODEL_ATTRIBUTES = ("model", "model_name", "model_id", "repo_id", "deployment", "model_path")
_SENTENCE = "Ada writes the engine, and Bo feeds the hens."
"""What an embedder is told from others by."""
_USUAL_DIMENSIONS = 1024
_LARGEST = {"halfvec": 65_504.0, "vector": 3.4028234e38}
"""Numbers that pgvector can keep."""


_UNRELATED = (
    "The train to Lyon leaves at nine from platform four.",
    "My sister is allergic to peanuts.",
    "Please rename the variable before you merge the branch.",
    "We watched the sunset from the old lighthouse.",
    "The invoice for March has not been paid yet.",
    "She practises the violin for an hour every evening.",
    "Add two eggs and a pinch of salt, then stir.",
    "The company opened an office in Nairobi last spring.",
    "He broke his ankle while playing football.",
    "The server runs out of memory every Tuesday night.",
    "Our dog is afraid of thunderstorms.",
    "The museum is closed on Mondays.",
    "I prefer working from home in the mornings.",
    "The bridge was built in 1884 and restored twice.",
    "Could you book a table for six people?",
    "Water boils at a lower temperature in the mountains.",
)
"""Texts that have nothing to do with each other."""


class Embedder:
    """LangChain embeddings whose every answer is checked, and that are not asked for the same text again.

    Args:
        embeddings: The embeddings.
        dimensions: Of its vectors; found out on the first call if None.
        name: Under which the database knows it; by default what the embeddings call their model, or else their class
            with a fingerprint of what they make of a sentence, as many models may have one class.
        index: How the database is to store and index the vectors; as it does already, or else by default, if None.

    Attributes:
        unit: Whether vectors are scaled to length 1, as cosines want them.
        vector_type: As what the database keeps them.
    """

    def __init__(
        self,
        embeddings: Embeddings,
        dimensions: int | None = None,
        name: str | None = None,
        index: VectorIndex | None = None,
    ) -> None:
        self.embeddings = embeddings
        self.dimensions = dimensions
        said = name or _model_of(embeddings)
        self.name: str = said or type(embeddings).__name__
        self._known = said is not None
        self.index = index
        self._cache = VectorCache()
        self.kept_as(index or VectorIndex())

    @classmethod
    def of(cls, index: Index) -> "Embedder":
        """An embedder from whatever form it is given in.

        Raises:
            ConfigurationError: It is none of those forms, or its dimension is no positive integer.
            MissingDependencyError: A "provider:model" string needs a package that is not installed.
        """
        if isinstance(index, Mapping):
            index = cast("Mapping[str, Any]", index)
            if "embed" not in index:
                raise ConfigurationError(
                    'an index configuration needs "embed", e.g. {"embed": embeddings, "dims": 384}'
                )
            dimensions = index.get("dims")
            if dimensions is not None and (type(dimensions) is not int or dimensions < 1):
                raise ConfigurationError(f'"dims" of the index must be a positive integer, not {dimensions!r}')
            return cls(_ensured(index["embed"]), dimensions, index.get("name"), _vector_index(index))
        return cls(_ensured(index))

    def kept_as(self, index: VectorIndex) -> None:
        """Learn how the database keeps the vectors."""
        self._cache.clear()  # they may be scaled in another way
        self.unit: bool = index.distance == "cosine"
        self.vector_type = index.vector_type

    def forget(self) -> None:
        """Forget the vectors of the texts that were embedded last."""
        self._cache.clear()

    async def probe(self) -> int:
        """The dimension of its vectors, asked for if need be, so that its name is known as well."""
        return self.dimensions if self._known and self.dimensions is not None else await self.asked()

    async def asked(self) -> int:
        """The dimension of its vectors, asked for by one call, which also tells which model it is.

        Raises:
            EmbeddingError: As `embed`.
        """
        [vector] = await self.embed([_SENTENCE])
        if not self._known:
            self.name, self._known = fingerprinted(self.name, vector), True
        return len(vector)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Vectors of texts, each computed once; unit vectors for cosines, except that a vector of zeros stays one.

        A date in brackets before who speaks is left out; see `policies.weighing.undated`.

        Raises:
            EmbeddingError: The embedder fails, or returns a wrong number or dimension of vectors, or NaN.
        """
        texts = [undated(text) for text in texts]
        hashes = list(map(text_hash, texts))
        found = {hash: vector for hash in hashes if (vector := self._cache.get(hash)) is not None}
        missing = {hash: text for hash, text in zip(hashes, texts, strict=True) if hash not in found}
        wanted = list(missing)
        for start in range(0, len(wanted), _AT_ONCE):
            batch = wanted[start : start + _AT_ONCE]
            vectors = await self._computed([missing[hash] for hash in batch])
            for hash, vector in zip(batch, vectors, strict=True):
                self._cache.put(hash, vector)
                found[hash] = vector
        return [found[hash] for hash in hashes]

    def adopted(self, vectors: Sequence[Sequence[float]]) -> list[list[float]]:
        """Vectors that the same model has computed elsewhere, as its own are kept.

        Raises:
            EmbeddingError: They have a wrong dimension, or NaN.
        """
        return self._checked(vectors, len(vectors))

    async def _computed(self, texts: list[str]) -> list[list[float]]:
        try:
            vectors = await self.embeddings.aembed_documents(texts)
        except Exception as error:
            raise EmbeddingError(f"the embedder {self.name!r} failed: {error}") from error
        size = len(texts) * (self.dimensions or _USUAL_DIMENSIONS)
        return await worked(size, partial(self._checked, vectors, len(texts)))

    async def embed_query(self, text: str) -> list[float]:
        """The vector of a query.

        Raises:
            EmbeddingError: As `embed`.
        """
        try:
            vector = await self.embeddings.aembed_query(text)
        except Exception as error:
            raise EmbeddingError(f"the embedder {self.name!r} failed: {error}") from error
        return self._checked([vector], 1)[0]

    def _checked(self, answer: Any, count: int) -> list[list[float]]:
        try:
            vectors = [list(map(float, vector)) for vector in answer]
        except (TypeError, ValueError) as error:
            raise EmbeddingError(f"the embedder {self.name!r} returned what is no list of vectors: {error}") from error
        if len(vectors) != count:
            raise EmbeddingError(f"the embedder {self.name!r} returned {len(vectors)} vectors for {count} texts")
        dimensions = self.dimensions or len(vectors[0])
        units = [self._unit(vector, dimensions) for vector in vectors]
        self.dimensions = dimensions
        return units

    def _unit(self, vector: list[float], dimensions: int) -> list[float]:
        if len(vector) != dimensions or not vector:
            raise EmbeddingError(
                f"the embedder {self.name!r} returned a vector of {len(vector)} dimensions instead of {dimensions}"
            )
        length = math.hypot(*vector)
        if not math.isfinite(length):
            raise EmbeddingError(f"the embedder {self.name!r} returned a vector with NaN or infinite values")
        if self.unit:
            return [x / length for x in vector] if length else vector
        self._refuse_large(max(vector, key=abs))
        return vector

    def _refuse_large(self, component: float) -> None:
        if abs(component) <= _LARGEST[self.vector_type]:
            return
        way_out = (
            'keep the vectors as {"ann_index_config": {"vector_type": "vector"}}, or compare them by "cosine"'
            if self.vector_type == "halfvec"
            else 'compare the vectors by "cosine"'
        )
        raise EmbeddingError(
            f"the embedder {self.name!r} returned a vector with a component of {component:g}, but {self.vector_type} "
            f"keeps none beyond {_LARGEST[self.vector_type]:g}; {way_out}"
        )


async def measured_floor(embedder: Embedder) -> float:
    """How similar an embedder's vectors of unrelated texts are on average, 0 to 0.95.

    Embedders differ widely in it, so that a cosine alone says little: what counts is how far it is above that. It is
    measured for cosines only, and 0 for other distances.

    Raises:
        EmbeddingError: As `Embedder.embed`.
    """
    if not embedder.unit:
        return 0.0
    vectors = await embedder.embed(_UNRELATED)
    cosines = [sum(a * b for a, b in zip(one, other, strict=True)) for one, other in combinations(vectors, 2)]
    return min(max(sum(cosines) / len(cosines), 0.0), 0.95)


def _vector_index(index: Mapping[str, Any]) -> VectorIndex | None:
    """The index that LangGraph's PostgreSQL store would be configured with; None where nothing is said of it."""
    configured = index.get("ann_index_config")
    if not isinstance(configured, Mapping | None):
        raise ConfigurationError(
            f'"ann_index_config" of the index must be a dict, e.g. {{"kind": "hnsw", "m": 16}}, not {configured!r}'
        )
    options = dict(cast("Mapping[str, Any]", configured or {}))
    values = {"distance": index.get("distance_type"), "index_kind": options.pop("kind", None)}
    values["vector_type"] = options.pop("vector_type", None)
    known = {key: value for key, value in values.items() if value is not None}
    if not known and not options:
        return None
    try:
        names = {"nlist": "lists"}  # as pgvector calls them
        return VectorIndex.model_validate({**known, "index_options": {names.get(k, k): v for k, v in options.items()}})
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']} (got {e['input']!r})" for e in error.errors())
        raise ConfigurationError(f"the index configuration cannot be used: {problems}") from None


def _ensured(embed: Any) -> Embeddings:
    validation.instance(embed, "the embedder")
    known = isinstance(embed, str | Embeddings) or callable(cast("object", embed))
    if not known:
        raise ConfigurationError(
            f'embeddings must be "local", "provider:model", LangChain embeddings or a function, not {embed!r}'
        )
    embed = embed.strip() if isinstance(embed, str) else embed
    if embed == "":
        raise ConfigurationError('the embedder is an empty text; give "local" or "provider:model", or leave it out')
    try:
        if isinstance(embed, str) and embed.partition(":")[0] == "local":
            return LocalEmbeddings(*filter(None, [embed.partition(":")[2]]))
        if isinstance(embed, str):
            from langchain.embeddings import init_embeddings  # noqa: PLC0415

            return init_embeddings(embed)
        return ensure_embeddings(embed)
    except AgentMemoryError:
        raise
    except ImportError as error:
        raise MissingDependencyError(
            f'embeddings {embed!r} need packages that are not installed: pip install "langgraph-agentmem[langchain]" '
            f"and the provider's integration ({error})"
        ) from error
    except Exception as error:
        raise ConfigurationError(f"embeddings {embed!r} cannot be used: {error}") from error


def _model_of(embeddings: Embeddings) -> str | None:
    """What embeddings call the model whose vectors they give; None where they do not say.

    What they were given counts before defaults: of Azure, whoever names a deployment need not name its model. Those
    that keep the vectors of others are those others.
    """
    embeddings = getattr(embeddings, "underlying_embeddings", embeddings)
    attributes = {attribute: getattr(embeddings, attribute, None) for attribute in _MODEL_ATTRIBUTES}
    said = {attribute: name for attribute, name in attributes.items() if isinstance(name, str) and name}
    given = said.keys() & getattr(embeddings, "model_fields_set", said.keys())
    return next((name for attribute, name in said.items() if attribute in given or not given), None)
