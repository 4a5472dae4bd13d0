"""`make load`: many clients at once on a real server, whose right answers are known.

Fails on a wrong answer, on a failure of the server, and on memory beyond what the launch allows.
Nothing leaves the machine.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from tests.shapes.chats import CHECKPOINT
from tests.support.host import Host
from tests.support.served import Served, request_launch, wait_until_ready
from xinference_internvl2.media import limits

from .attacks import PICTURES, make_picture
from .load_clients import Attacker, Client, Result, print_report

MB = 1 << 20
MEDIA_MEMORY, KV_CACHE_MEMORY, PREFIX_CACHE_MEMORY = 1024, 256, 64
# One decoder that takes more than half of the media's memory works alone.
ALONE = (limits.MAX_IMAGE_MEMORY >> 20) - MEDIA_MEMORY // 2
# Of each process that decodes: Python, its libraries and what it keeps for the next picture.
DECODERS, DECODER_MEMORY = 2 * limits.MAX_IMAGE_DECODERS + limits.MAX_VIDEO_DECODERS, 120
# What libraries and the allocator keep of many threads and their first calls.
SLACK = 256
OPTIONS: dict[str, dict[str, Any]] = {
    "Transformers": {
        "kv_cache_memory": KV_CACHE_MEMORY,
        "prefix_cache_memory": PREFIX_CACHE_MEMORY,
    },
    # vLLM takes the memory of its cache when it starts.
    "vLLM": {"envs": {"VLLM_CPU_KVCACHE_SPACE": "1"}},
}
SAMPLE_SECONDS = 0.5


class Memory(threading.Thread):
    """The memory of this process's children, in MB: measured now, and its peak while this runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = threading.Event()
        self.peak = 0

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.peak = max(self.peak, self.measure())

    def stop(self) -> None:
        self._done.set()
        self.join()

    @staticmethod
    def measure() -> int:
        """Pages of their own, and the share of those that they have in common."""
        total = 0
        for process in psutil.Process().children(recursive=True):
            try:
                total += process.memory_full_info().pss
            except psutil.Error:  # it ended
                continue
        return int(total // MB)


def put_under_load(model: Served, clients: int, seconds: float, hostile: bool) -> list[Result]:
    """Let clients ask for these seconds; if `hostile`, half as many others attack meanwhile."""
    for name in PICTURES if hostile else ():
        make_picture(name)  # drawing it takes seconds
    deadline = time.monotonic() + seconds
    callers: list[Client] = [Client(model, seed, deadline) for seed in range(clients)]
    if hostile:
        callers += [Attacker(model, seed, deadline) for seed in range((clients + 1) // 2)]
    with ThreadPoolExecutor(len(callers)) as pool:
        done = pool.map(Client.run, callers)
        return [result for results in done for result in results]


def measure(model: Served, clients: int, seconds: float, hostile: bool) -> bool:
    """Print what clients got and how much memory it took; True if nothing is wrong."""
    put_under_load(model, 2, 1, hostile=False)
    memory = Memory()
    before = memory.measure()
    memory.start()
    results = put_under_load(model, clients, seconds, hostile)
    memory.stop()
    time.sleep(2)
    allowed = before + MEDIA_MEMORY + ALONE + KV_CACHE_MEMORY + PREFIX_CACHE_MEMORY
    allowed += DECODERS * DECODER_MEMORY + SLACK
    sound = print_report(results)
    print(
        f"memory: {before} MB before, {memory.peak} MB at most, {memory.measure()} MB after; "
        f"allowed are {allowed} MB"
    )
    return sound and memory.peak <= allowed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", default="Transformers", choices=OPTIONS)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--hostile", action="store_true", help="mix attacks in")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="internvl2-load-") as folder:
        with Host(Path(folder)) as host:
            request_launch(
                host,
                "model",
                model_engine=options.engine,
                model_path=str(CHECKPOINT),
                model_size_in_billions=1,
                model_format="pytorch",
                quantization="none",
                media_memory=MEDIA_MEMORY,
                **OPTIONS[options.engine],
            )
            model = wait_until_ready(Served(host, "model", CHECKPOINT))
            sound = measure(model, options.clients, options.seconds, options.hostile)
        if not sound:
            print(host.log.read_text(errors="replace")[-5000:], file=sys.stderr)
    sys.exit(0 if sound else 1)


if __name__ == "__main__":
    main()
