"""An embedder that knows that two words mean the same, which a search by words does not."""

import time

import crashing
from fakes import WordEmbedder

CANINE = {"canine": "fox", "poultry": "hen"}


class SynonymEmbedder(WordEmbedder):
    """Embeds words by what they mean; each call takes a moment.

    Args:
        model: Its name; embedders of another name have other vectors.
        dimensions: Of its vectors.
        kill_in_call: The call of many texts in which the process kills itself, from 1; never if 0.
    """

    def __init__(self, model: str, dimensions: int, *, kill_in_call: int = 0) -> None:
        super().__init__(dimensions, model)
        self.kill_in_call = kill_in_call
        self.embedded = 0

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        if len(texts) > 50:  # no probe, and none of the texts by which the floor is measured
            time.sleep(0.1)
            self.kill_in_call -= 1
            if self.kill_in_call == 0:
                crashing.kill()
            self.embedded += len(texts)
        return super().embed_documents(texts)

    def _vector(self, text: str) -> list[float]:
        said = [f"{CANINE.get(word, word)}" for word in text.casefold().split()]
        vector = super()._vector(" ".join(said))
        # turned by the model's name, so that vectors of two models have nothing to do with each other
        turn = len(self.model) * 7
        return [*vector[turn % len(vector) :], *vector[: turn % len(vector)]]
