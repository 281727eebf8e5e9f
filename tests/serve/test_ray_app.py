"""The Ray application on a cluster of this machine; slow, because Ray starts some processes of its own."""

import pytest

ray = pytest.importorskip("ray", reason="needs the extra ray")
pytest.importorskip("ray.serve", reason='needs pip install "ray[serve]"')


@pytest.mark.slow
def test_the_same_routes_and_answers(weights):
    import httpx
    from ray import serve
    from tests.serve.instant import png

    from residua.serve.batching import Batching
    from residua.serve.limits import Limits
    from residua.serve.ray_app import NAME, application
    from residua.serve.sources import named_sources

    app = application(named_sources([str(weights())]), batching=Batching(), limits=Limits())
    ray.init(num_cpus=3, include_dashboard=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": 8765})
        serve.run(app, name=NAME, route_prefix="/")
        with httpx.Client(base_url="http://127.0.0.1:8765", timeout=60) as http:
            answer = http.post(
                "/v1/predict?cam=true", files=[("file", ("a", png())), ("file", ("b", b"x"))]
            ).json()
            assert answer["model"] == "tones"
            good, bad = answer["predictions"]
            assert good["label"] in ("dark", "light")
            assert bad["status"] == 422
            assert http.post("/v1/predict?model=other", files={"file": png()}).status_code == 404
    finally:
        serve.shutdown()
        ray.shutdown()
