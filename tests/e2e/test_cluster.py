"""Models on several workers: one lacks the plugin, one is killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.shapes.chats import CHECKPOINT
from tests.support.cluster import Cluster, wait_until
from tests.support.served import Served, request_launch

from .test_faults import UNQUANTIZED, ask_until_answered, text

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two workers, and a third that lacks the plugin; one that is gone is soon left out."""
    often = {"XINFERENCE_HEALTH_CHECK_INTERVAL": "3"}
    with Cluster(tmp_path_factory.mktemp("cluster"), **often) as cluster:
        cluster.start_worker("lacking", XINFERENCE_INTERNVL2_AUTOLOAD="0")
        cluster.start_worker("first")
        cluster.start_worker("second")
        cluster.wait_for_workers()
        yield cluster


def launch_on(cluster: Cluster, uid: str, **options: Any) -> Served:
    words = {**UNQUANTIZED, "model_engine": "Transformers", "model_path": str(CHECKPOINT)}
    request_launch(cluster, uid, **words, **options)
    return Served(cluster, uid, CHECKPOINT)


def test_a_worker_without_the_plugin_is_named(cluster: Cluster) -> None:
    lacking = cluster.addresses["lacking"]
    with pytest.raises(RuntimeError) as caught:
        launch_on(cluster, "lacking", worker_ip=lacking)
    sentence = f"on 1 workers, and the workers {lacking} lack it; install it there and start them"
    assert sentence in str(caught.value)
    with pytest.raises(RuntimeError, match=f"on 3 workers, and the workers {lacking} lack it"):
        launch_on(cluster, "three", n_worker=3)


def test_a_model_of_transformers_is_not_spread_over_workers(cluster: Cluster) -> None:
    with pytest.raises(RuntimeError, match="the Transformers engine serves a model on one worker"):
        launch_on(cluster, "two", n_worker=2)


def test_replicas_are_on_the_workers_with_the_plugin_and_one_is_killed(cluster: Cluster) -> None:
    model = launch_on(cluster, "replicas", replica=2)
    first, second = cluster.addresses["first"], cluster.addresses["second"]
    replicas = cluster.get("/v1/models/replicas/replicas")
    assert {each["worker_address"] for each in replicas} == {first, second}
    right = text(model)
    assert [text(model) for _ in range(3)] == [right] * 3
    cluster.kill_worker("first")
    assert [ask_until_answered(model) for _ in range(4)] == [right] * 4
    wait_until(lambda: first not in cluster.list_workers())
    assert [text(model) for _ in range(4)] == [right] * 4
