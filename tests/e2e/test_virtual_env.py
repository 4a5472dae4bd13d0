"""The host's virtual environments, switched on and off for a launch, against what a server does.

What the servers do by themselves is seen where a model is downloaded, and in the web page.
"""

from __future__ import annotations

import pytest
from xinference.client import RESTfulClient

from tests.shapes.chats import CHECKPOINT
from tests.support.chat.media import user
from tests.support.host import Host
from tests.support.served import Served, launch

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("server", "flag", "isolated"),
    [("host", "--disable-virtual-env", False), ("extended", "--enable-virtual-env", True)],
)
def test_a_model_runs_where_it_was_asked_to(
    request: pytest.FixtureRequest, server: str, flag: str, isolated: bool
) -> None:
    host: Host = request.getfixturevalue(server)
    before = host.count_virtual_environments()
    done = launch(host, "where", flag, model_path=str(CHECKPOINT))
    assert done.returncode == 0, done.stderr
    try:
        assert host.count_virtual_environments() - before == isolated
        served = Served(host, "where", CHECKPOINT)
        answer = served.chat(user("How many corners does a triangle have?"), temperature=0)
        assert answer.choices[0].message.content == "three"
    finally:
        RESTfulClient(host.url).terminate_model("where")
