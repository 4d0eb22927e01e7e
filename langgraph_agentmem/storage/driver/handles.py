"""What belongs to one process: connections, threads, locks."""

from typing import Any, NoReturn, Self

from langgraph_agentmem.errors import ConfigurationError


class OfThisProcess:
    """It holds what no other process can use, and a second one here would not share; a shallow copy shares it all."""

    def __copy__(self) -> Self:
        # LangGraph makes a checkpointer with other settings so
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    def __deepcopy__(self, memo: dict[int, Any]) -> NoReturn:
        raise self._refusal("copied")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise self._refusal("pickled")

    def _refusal(self, done: str) -> ConfigurationError:
        return ConfigurationError(
            f"{type(self).__name__} holds connections and threads of this process, and cannot be {done}: open it in "
            "each process that needs it, by its connection string, and share it among the threads there"
        )
