import base64

import pytest

from residua.serve.limits import Limits


def test_each_way_of_sending_an_image_gets_the_same_answer(client, white):
    http = client()
    coded = base64.b64encode(white).decode()
    sent = [
        http.post("/v1/predict", files={"file": ("white.png", white)}),
        http.post("/v1/predict", content=white, headers={"content-type": "image/png"}),
        http.post("/v1/predict", content=white, headers={"content-type": "application/octet-stream"}),
        http.post("/v1/predict", json={"image": coded}),
        http.post("/v1/predict", json={"images": [coded]}),
    ]
    assert [answer.status_code for answer in sent] == [200] * 5
    for answer in (answer.json() for answer in sent):
        assert (answer["schema"], answer["model"], answer["version"]) == (1, "tones", "abc")
        assert (answer["label"], answer["probability"]) == ("light", 1.0)
        assert answer["top"] == [
            {"label": "light", "probability": 1.0},
            {"label": "dark", "probability": 0.0},
        ]
        (only,) = answer["predictions"]
        assert (only["label"], only["top"]) == (answer["label"], answer["top"])
    assert sent[0].json()["predictions"][0]["name"] == "white.png"


def test_a_bad_image_among_good_ones_costs_them_nothing(client, white):
    answer = client().post("/v1/predict", files=[("file", ("a", white)), ("file", ("b", b"no image"))])
    assert answer.status_code == 200
    good, bad = answer.json()["predictions"]
    assert good["label"] == "light"
    assert (bad["status"], "label" in bad) == (422, False)
    assert "cannot be read" in bad["error"]
    assert "label" not in answer.json(), "of one image alone it stands at the top"


def test_what_is_asked_of_an_answer(client, white):
    found = client().post("/v1/predict?top_k=1&cam=true&model=tones", files={"file": white}).json()
    assert len(found["top"]) == 1
    assert found["cam"] == [[1.0]]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"content": b""}, 415, "without a content type"),
        ({"content": b"x", "headers": {"content-type": "text/html"}}, 415, "text/html"),
        ({"content": b"", "headers": {"content-type": "image/png"}}, 422, "cannot be read"),
        ({"files": {"other": b"x"}}, 422, "'file'"),
        ({"data": {"file": "text"}, "files": {"x": b"x"}}, 422, "no file"),
        ({"content": b"--", "headers": {"content-type": "multipart/form-data; boundary=x"}}, 422, "image"),
        ({"content": b"--", "headers": {"content-type": "multipart/form-data"}}, 422, "form"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 422, "JSON"),
        ({"content": b"[" * 100_000, "headers": {"content-type": "application/json"}}, 422, "JSON"),
        ({"json": {"images": []}}, 422, "no image"),
        ({"json": {"images": "aaaa"}}, 422, "list"),
        ({"json": {"images": ["%%"]}}, 422, "base64"),
        ({"json": {"image": "\u00e9"}}, 422, "base64"),
        ({"json": {"image": "", "model": "tones"}}, 422, "nothing else"),
        ({"json": []}, 422, "JSON must be"),
    ],
)
def test_what_is_no_request_is_told_why(client, body, status, said):
    answer = client().post("/v1/predict", **body)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status
    assert said in answer.json()["error"]


@pytest.mark.parametrize(
    ("address", "status", "said"),
    [
        ("/v1/predict?top_k=0", 422, "top_k"),
        ("/v1/predict?top_k=x", 422, "top_k"),
        ("/v1/predict?timeout_ms=-1", 422, "timeout_ms"),
        ("/v1/predict?model=tone", 404, "did you mean"),
        ("/v1/predict?model=../tones", 404, "no model"),
        ("/nowhere", 404, "Not Found"),
        ("/v1/models", 405, "Method Not Allowed"),
    ],
)
def test_wrong_addresses_are_told_why(client, white, address, status, said):
    answer = client().post(address, files={"file": white})
    assert answer.status_code == status
    assert said in answer.json()["error"]


def test_too_many_images(client, white):
    answer = client(Limits(images=2)).post("/v1/predict", files=[("file", ("a", white))] * 3)
    assert answer.status_code == 413
    assert answer.json()["error"] == "3 images: a request may have 2"
    assert (
        client(Limits(images=2)).post("/v1/predict", files=[("file", ("a", white))] * 40).status_code == 413
    )


def test_the_state_of_the_server(client, models):
    http = client()
    assert http.get("/healthz").json()["status"] == "ok"
    assert http.get("/readyz").status_code == 200
    assert http.get("/v1/models").json()["models"][0]["name"] == "tones"
    models.missing = ("tones",)
    assert http.get("/healthz").status_code == 200
    assert http.get("/readyz").status_code == 503
    assert http.get("/readyz").json()["waiting_for"] == ["tones"]


def test_metrics_count_by_route_and_not_by_what_clients_make_up(client, white):
    http = client()
    http.post("/v1/predict", files={"file": white})
    for number in range(5):
        http.get(f"/made-up/{number}")
    page = http.get("/metrics").text
    assert 'residua_requests_total{route="/v1/predict",status="200"} 1.0' in page
    assert 'residua_requests_total{route="none",status="404"} 5.0' in page
    assert "made-up" not in page


def test_openapi_names_every_route_and_loads_nothing(client):
    http = client()
    described = http.get("/openapi.json").json()
    assert {"/v1/predict", "/v1/models", "/healthz", "/readyz", "/metrics"} <= set(described["paths"])
    body = described["paths"]["/v1/predict"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "application/json", "application/octet-stream", "image/*"} == set(body)
    assert http.get("/docs").status_code == 404
