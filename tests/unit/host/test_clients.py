"""Requests as other libraries send them, recorded with the versions that are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.support.chat.case import SQUARE

from .conftest import Model

pytestmark = pytest.mark.host
RECORDED = json.loads(Path(__file__).with_name("clients.json").read_text("utf-8"))


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["client"])
def test_a_recorded_request_is_answered(
    client: TestClient, model: Model, recorded: dict[str, Any]
) -> None:
    body = json.dumps(recorded["body"]).replace("MODEL", "model")
    body = body.replace("data:image/png;base64,PICTURE", SQUARE)
    response = client.post(recorded["path"], content=body)
    assert response.status_code == 200, response.text
    [request] = model.requests
    assert len(request.tiles) == 1
    assert request.sampling.max_tokens == 16
    assert request.stream == recorded["body"].get("stream", False)
