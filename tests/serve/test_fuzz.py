"""Whatever is sent, the answer is no fault of the server: no 5xx but 503 and 504, and every refusal says why."""

import pytest
from benchmarks.malformed import malformed
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.serve.instant import InstantModels

from residua.serve.app import make_app
from residua.serve.limits import Limits
from residua.serve.metrics import Metrics


def application():
    return make_app(InstantModels(), limits=Limits(body=1 << 20), metrics=Metrics())


@pytest.fixture(scope="module")
def http():
    from starlette.testclient import TestClient

    return TestClient(application(), base_url="http://127.0.0.1", raise_server_exceptions=True)


@settings(max_examples=200)
@given(seed=st.integers(0, 2**32))
def test_malformed_requests_are_refused_with_a_reason(http, seed):
    request = malformed(seed)
    answer = http.request(request.method, request.path, headers=request.headers, content=request.content)
    assert answer.status_code < 500 or answer.status_code in (503, 504)
    if answer.status_code >= 400 and request.method != "HEAD":
        assert answer.json()["status"] == answer.status_code
        assert answer.json()["error"]


@settings(max_examples=50)
@given(kind=st.text(max_size=40), body=st.binary(max_size=300))
def test_any_content_type_and_any_bytes(http, kind, body):
    header = kind.encode("latin-1", "ignore").translate(None, b"\r\n\0")
    answer = http.post("/v1/predict", headers={"content-type": header}, content=body)
    assert answer.status_code in (400, 413, 415, 422)


def test_every_answer_is_as_openapi_says():
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks as openapi

    checks = (
        not_a_server_error,
        openapi.status_code_conformance,
        openapi.content_type_conformance,
        openapi.response_schema_conformance,
    )
    schema = schemathesis.openapi.from_asgi("/openapi.json", application())
    for found in schema.get_all_operations():
        operation = found.ok()

        @settings(max_examples=20, database=None)
        @given(case=operation.as_strategy())
        def conforms(case):
            case.call_and_validate(checks=checks)

        conforms()
