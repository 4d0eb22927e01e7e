"""Says something to the server as a user, and prints the answer.

python talk.py alice "I eat vegetarian food."
"""

import argparse

from langgraph_sdk import get_sync_client

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("user")
parser.add_argument("text")
parser.add_argument("--url", default="http://localhost:2024", help="the server (default: %(default)s)")
given = parser.parse_args()

with get_sync_client(url=given.url) as client:
    answer = client.runs.wait(
        None,  # no thread: the conversation is not kept, and what is known comes from memory
        "agent",
        input={"messages": [{"role": "user", "content": given.text}]},
        config={"configurable": {"user_id": given.user}},
    )
print(answer["messages"][-1]["content"])
