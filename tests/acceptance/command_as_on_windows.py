"""`agentmem` where, as on Windows, psycopg cannot use the default event loop, and no loop takes signals."""

import asyncio

from langgraph_agentmem.cli import main


class Blind(asyncio.SelectorEventLoop):
    add_reader = asyncio.AbstractEventLoop.add_reader


asyncio.events.new_event_loop = Blind
asyncio.SelectorEventLoop.add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler
main()
