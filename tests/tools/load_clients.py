"""Clients of `make load`: some ask what has a right answer, some attack."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import httpx

from tests.shapes.chats import make_messages
from tests.shapes.showcase import SHOWCASE, Exhibit
from tests.support.served import Served

from .attacks import ATTACKS

TIMEOUT = 300
COME_AGAIN = (429, 503)


@dataclass(frozen=True)
class Result:
    """What a request came to.

    Attributes:
        outcome: right, wrong, refused (come again later), warded off (an attack), or failed.
        pause: the longest time between two tokens of a stream.
    """

    outcome: str
    what: str
    seconds: float = 0.0
    pause: float = 0.0
    reason: str = ""


@cache
def make_chat(exhibit: Exhibit) -> list[dict[str, Any]]:
    return list(make_messages(exhibit.sample, exhibit.question, exhibit.make_urls()))


class Client:
    """Asks questions in turn until the deadline; a third of the answers come as streams."""

    def __init__(self, model: Served, seed: int, deadline: float) -> None:
        self.model, self.rng, self.deadline = model, random.Random(seed), deadline
        self.http = httpx.Client(base_url=f"{model.host.url}/v1/", timeout=TIMEOUT)

    def run(self) -> list[Result]:
        with self.http:
            return list(self._ask_in_turn())

    def _ask_in_turn(self) -> Iterator[Result]:
        while time.monotonic() < self.deadline:
            start = time.monotonic()
            try:
                result = self.ask()
            except Exception as error:
                result = Result("failed", "request", reason=repr(error))
            yield result
            if result.outcome == "refused":
                time.sleep(min(1, max(0, self.deadline - start)))

    def ask(self) -> Result:
        exhibit = self.rng.choice(SHOWCASE)
        body = {
            "model": self.model.uid,
            "messages": make_chat(exhibit),
            "max_tokens": 32,
            "temperature": 0,
            # Or most of it would be known from others before.
            "cache_salt": str(self.rng.randrange(4)),
        }
        start = time.monotonic()
        stream = self.rng.random() < 1 / 3
        status, text, pause = self._ask_stream(body) if stream else self._ask_whole(body)
        seconds = time.monotonic() - start
        if status != 200:
            return classify_failure(exhibit.name, status, text)
        outcome = "right" if text == exhibit.question.answer else "wrong"
        return Result(outcome, exhibit.name, seconds, pause, text)

    def _ask_whole(self, body: dict[str, Any]) -> tuple[int, str, float]:
        response = self.http.post("chat/completions", json=body)
        if response.status_code != 200:
            return response.status_code, describe_error(response), 0
        return 200, response.json()["choices"][0]["message"]["content"], 0

    def _ask_stream(self, body: dict[str, Any]) -> tuple[int, str, float]:
        """The status, the text and the longest pause in it."""
        text, times = "", []
        with self.http.stream("POST", "chat/completions", json={**body, "stream": True}) as found:
            if found.status_code != 200:
                found.read()
                return found.status_code, describe_error(found), 0
            for line in found.iter_lines():
                if not line.startswith("data: {"):
                    continue
                event = json.loads(line.removeprefix("data: "))
                if "error" in event:
                    return 500, str(event["error"]), 0
                if event["choices"] and (piece := event["choices"][0]["delta"].get("content")):
                    text += piece
                    times.append(time.monotonic())
        gaps = (later - earlier for earlier, later in pairwise(times))
        return 200, text, max(gaps, default=0.0)


class Attacker(Client):
    """Sends attacks in turn; some clients leave before they are answered."""

    def ask(self) -> Result:
        name = self.rng.choice(list(ATTACKS))
        body = ATTACKS[name](self.rng, self.model.uid)
        start = time.monotonic()
        leaves = self.rng.random() < 0.1
        headers = {"Content-Type": "application/json"}
        try:
            response = self.http.post(
                "chat/completions", content=body, headers=headers, timeout=1 if leaves else TIMEOUT
            )
        except httpx.TimeoutException:
            return Result("warded off" if leaves else "failed", name, reason="timeout")
        if response.status_code < 500 and response.status_code not in COME_AGAIN:
            return Result("warded off", name, time.monotonic() - start)
        return classify_failure(name, response.status_code, describe_error(response))


def describe_error(response: httpx.Response) -> str:
    """What a server says of an error, with whether it says when to come again."""
    when = response.headers.get("Retry-After")
    return f"{'' if when else 'no Retry-After: '}{response.text[:300]}"


def classify_failure(what: str, status: int, text: str) -> Result:
    if status in COME_AGAIN and not text.startswith("no Retry-After"):
        return Result("refused", what, reason=text)
    return Result("failed", what, reason=f"{status} {text}")


def print_report(results: list[Result]) -> bool:
    """Print counts, times and pauses; True if no answer is wrong and nothing failed."""
    counts = Counter(result.outcome for result in results)
    print(", ".join(f"{counts[name]} {name}" for name in ("right", "wrong", "refused", "failed")))
    if counts["warded off"]:
        slowest = max((r for r in results if r.outcome == "warded off"), key=lambda r: r.seconds)
        print(f"{counts['warded off']} attacks warded off, the slowest in {slowest.seconds:.1f} s")
    right = sorted(result.seconds for result in results if result.outcome == "right")
    if right:
        p50, p95, p99 = (right[min(int(part * len(right)), len(right) - 1)] for part in PARTS)
        pause = max(result.pause for result in results)
        print(f"p50 {p50:.2f} s, p95 {p95:.2f} s, p99 {p99:.2f} s")
        print(f"largest pause between two tokens: {pause:.2f} s")
    for result in [result for result in results if result.outcome in ("wrong", "failed")][:20]:
        print(f"    {result.outcome}: {result.what}: {result.reason}")
    return bool(right) and not counts["wrong"] + counts["failed"]


PARTS = (0.5, 0.95, 0.99)
