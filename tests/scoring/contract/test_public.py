"""What is public, what needs the key, and what the operator's port shows."""

import base64
import json
from collections.abc import Iterator

import httpx
import pytest

from features.bundle import Bundle
from tests.support.ports import free_port
from tests.support.services import KEY, RunningService, running_service, wait_until

pytestmark = pytest.mark.slow

PASSWORD = {"authorization": f"Basic {base64.b64encode(f'anybody:{KEY}'.encode()).decode()}"}
WRONG = {"authorization": "Bearer not-the-key-of-this-service"}
NOT_PUBLIC = ("/", "/metrics", "/openapi.json", "/docs", "/nothing")


@pytest.fixture(scope="module")
def inside_port() -> int:
    """The port for probes and metrics."""
    return free_port()


@pytest.fixture(scope="module")
def two_doors(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory, inside_port: int) -> Iterator[RunningService]:
    """A service with both ports."""
    arguments = ["--inside-port", str(inside_port)]
    with running_service(bundle.path, tmp_path_factory.mktemp("doors"), arguments=arguments) as running:
        yield running


@pytest.mark.parametrize("path", NOT_PUBLIC)
def test_nothing_else_is(two_doors: RunningService, path: str) -> None:
    for headers in ({}, WRONG):
        answer = httpx.get(two_doors.url + path, headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("path", ["/", "/metrics", "/openapi.json"])
def test_a_browser_may_give_the_key_as_a_password(two_doors: RunningService, path: str) -> None:
    assert httpx.get(two_doors.url + path).headers["www-authenticate"].startswith("Basic ")
    assert httpx.get(two_doors.url + path, headers=PASSWORD).status_code == 200


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("same-site", 401), ("cross-site", 401), ("none", 401), (None, 401)]
)
def test_a_password_scores_for_the_services_own_page_alone(
    two_doors: RunningService, site: str | None, status: int
) -> None:
    headers = PASSWORD | ({} if site is None else {"sec-fetch-site": site})
    answer = httpx.post(f"{two_doors.url}/score", headers=headers, json={})
    assert answer.status_code == status
    assert answer.headers.get("www-authenticate") == (None if status == 200 else "Bearer")


def test_each_request_of_a_connection_is_judged_by_what_it_sends(two_doors: RunningService) -> None:
    """A page of somebody else could make the browser send the password over the connection of the service's own."""
    sent = [({}, 200), (WRONG, 401), ({}, 200), (PASSWORD | {"sec-fetch-site": "same-origin"}, 200), (PASSWORD, 401)]
    for headers, status in sent:
        assert two_doors.client.post("/score", headers=headers, json={}).status_code == status


@pytest.mark.parametrize("path", ["/", "/metrics", "/openapi.json", "/healthz", "/readyz"])
@pytest.mark.usefixtures("two_doors")
def test_the_operators_port_needs_no_key(inside_port: int, path: str) -> None:
    assert httpx.get(f"http://127.0.0.1:{inside_port}{path}").status_code == 200


@pytest.mark.usefixtures("two_doors")
def test_the_operators_port_scores_for_nobody_without_the_key(inside_port: int) -> None:
    assert httpx.post(f"http://127.0.0.1:{inside_port}/score", json={}).status_code == 401


def test_examples_of_the_description_are_no_rows(two_doors: RunningService, bundle: Bundle) -> None:
    text = json.dumps(two_doors.client.get("/openapi.json").json())
    values = {
        str(value) for one in bundle.click_model.golden for name, value in one.record.items() if name.startswith("cat")
    }
    assert not [value for value in values - {"", "None"} if value in text]


def test_readiness_tells_nobody_whether_a_key_is_valid_without_a_trace(two_doors: RunningService) -> None:
    headers = {**WRONG, "x-request-id": "a-guess"}
    assert httpx.get(f"{two_doors.url}/readyz", headers=headers).status_code == 401
    wait_until(lambda: any(line.get("request_id") == "a-guess" and line["status"] == 401 for line in two_doors.log()))
