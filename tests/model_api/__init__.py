"""A model API on a loopback or lab address, with which the real runtimes run and no model does.

It speaks Anthropic Messages, OpenAI Responses and Chat Completions, streaming and not. What it answers is written in
the prompt (`[[slow 5]]`, `[[tool bash: touch x]]`, `[[429 reset=60]]`: see `script`) or set by the test (`next`).
Every request is kept and can be waited for.

    with ModelApi("127.0.0.1") as api:
        api.always("[[429 reset=60]]")
        …
        api.wait_for(lambda request: "hello" in request.prompt)

From a shell: `python -m tests.model_api --bind 10.77.62.254 --port 8080`.
"""

from tests.model_api.api import ModelApi
from tests.model_api.record import Request

__all__ = ["ModelApi", "Request"]
