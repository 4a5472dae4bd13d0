"""Requests that nobody means well, at every API: answered, or refused as the client's fault."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.tools import attacks

from .test_rest_api import APIS, BODIES

pytestmark = pytest.mark.host
SEEDS = 100
SOUND = range(200, 500)


def send(client: TestClient, api: str, body: bytes) -> Any:
    return client.post(f"/v1/{api}", content=body, headers={"Content-Type": "application/json"})


@APIS
def test_values_that_are_anything_at_all(client: TestClient, api: str) -> None:
    for seed in range(SEEDS):
        rng = random.Random(seed)
        body = attacks.distort(json.loads(json.dumps(BODIES[api])), rng)
        response = send(client, api, json.dumps(body).encode())
        assert response.status_code in SOUND, (seed, body, response.text)


@APIS
def test_bodies_that_are_no_request(client: TestClient, api: str) -> None:
    for seed in range(30):
        body = attacks.ATTACKS["body that is no request"](random.Random(seed), "model")
        response = send(client, api, body)
        assert response.status_code in range(400, 500), (body[:200], response.text)


def test_fields_of_a_chat_with_a_picture(client: TestClient) -> None:
    for seed in range(40):
        body = attacks.ATTACKS["strange values"](random.Random(seed), "model")
        response = send(client, "chat/completions", body)
        assert response.status_code in SOUND, (body[:300], response.text)
