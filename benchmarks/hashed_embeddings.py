"""Deterministic vectors without a model: texts that share words, or parts of them, are close."""

from functools import lru_cache
from zlib import crc32

import numpy as np
from langchain_core.embeddings import Embeddings

DIMENSIONS = 384
LETTERS = 3


class HashedEmbeddings(Embeddings):
    """Three letters that follow each other, counted in 384 buckets, each with a sign of its own; of length 1."""

    model = "hashed"

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        folded = f" {' '.join(text.casefold().split())} "
        hashes = [_hashed(folded[at : at + LETTERS]) for at in range(max(len(folded) - LETTERS + 1, 1))]
        signs = [1.0 if number & 1 else -1.0 for number in hashes]
        vector = np.bincount([number // 2 % DIMENSIONS for number in hashes], signs, DIMENSIONS)
        return (vector / (np.linalg.norm(vector) or 1.0)).tolist()

    async def aembed_documents(self, texts: list[str]) -> list[list[float]]:
        return self.embed_documents(texts)

    async def aembed_query(self, text: str) -> list[float]:
        return self.embed_query(text)


@lru_cache(maxsize=200_000)
def _hashed(letters: str) -> int:
    return crc32(letters.encode())


INDEX = {"embed": HashedEmbeddings(), "dims": DIMENSIONS}
