"""Smart plugs of both generations, from a web server on this machine."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from readings import collect

from edgeecg.errors import MeterError
from edgeecg.meters import _polling, shelly

GEN1 = {"type": "SHPLG-S", "mac": "AABBCCDDEEFF", "auth": False, "fw": "1.14"}
GEN2 = {"name": None, "id": "shellyplusplugs-1", "gen": 2, "app": "PlusPlugS", "auth_en": False}


class Plug:
    """Answers by path: a JSON value, a string, or a number for an HTTP status."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.delay_s = 0.0
        self.asked: list[str] = []
        plug = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                plug.asked.append(self.path)
                time.sleep(plug.delay_s)
                answer = plug.answers.get(self.path, 404)
                if callable(answer):
                    answer = answer()
                self.send_response(answer if isinstance(answer, int) else 200)
                if answer == 302:
                    self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()
                if not isinstance(answer, int):
                    text = answer if isinstance(answer, str) else json.dumps(answer)
                    self.wfile.write(text.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def gen1(self, power: object = 12.5) -> None:
        def meter() -> dict[str, object]:
            return {"power": power, "is_valid": True, "timestamp": int(time.time()), "total": 1}

        self.answers = {"/shelly": GEN1, "/meter/0": meter}

    def gen2(self, power: object = 7.5, path: str = "Switch", **more: object) -> None:
        status = {"id": 0, "output": True, "apower": power, "voltage": 231.4, **more}
        self.answers = {"/shelly": GEN2, f"/rpc/{path}.GetStatus?id=0": status}

    def stop(self) -> None:
        if not self.thread.is_alive():
            return
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def plug(monkeypatch: pytest.MonkeyPatch) -> Iterator[Plug]:
    # A proxy of the user's must not see the requests to the local network.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    running = Plug()
    yield running
    running.stop()


def test_a_plug_of_the_first_generation(plug: Plug) -> None:
    plug.gen1(12.5)
    meter = shelly.open(plug.address)
    assert (meter.name, meter.sample_rate_hz, meter.replayed) == ("shelly", 1.0, False)
    found = collect(meter, 2.5)
    assert found.watts == pytest.approx(12.5)
    # It was asked five times and had a new reading each second.
    assert 2 <= found.t_s.size <= 4
    assert found.lost == 0


@pytest.mark.parametrize("path", ["Switch", "PM1"])
def test_a_plug_of_a_later_generation(plug: Plug, path: str) -> None:
    plug.gen2(7.5, path)
    meter = shelly.open(f"http://{plug.address}")
    assert collect(meter, 0.3).watts == pytest.approx(7.5)


def test_the_second_channel(plug: Plug) -> None:
    plug.gen2()
    plug.answers["/rpc/Switch.GetStatus?id=1"] = {"id": 1, "apower": 3.25}
    assert shelly.open(f"{plug.address}/1").read().watts == pytest.approx(3.25)


def test_the_same_reading_is_not_taken_twice(plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelly, "_UNCHANGED_S", 0.5)
    plug.gen2(7.5)
    meter = shelly.open(plug.address)
    found = collect(meter, 1.2)
    assert found.watts.tolist() == [7.5]
    assert found.lost == 0
    assert any("the same values" in each for each in found.remarks)
    plug.gen2(8.0)
    assert collect(meter, 1.2).watts.tolist() == [8.0]


@pytest.mark.parametrize(
    "answer",
    [
        500,
        302,
        "not JSON",
        "[]",
        {"id": 0},
        {"apower": None},
        {"apower": "7"},
        {"apower": True},
        '{"apower": NaN}',
        {"apower": 7.5, "is_valid": False},
    ],
)
def test_an_answer_without_a_power_is_a_lost_reading(plug: Plug, answer: object) -> None:
    plug.gen2()
    meter = shelly.open(plug.address)
    meter.read()
    plug.answers["/rpc/Switch.GetStatus?id=0"] = answer
    found = collect(meter, 0.6)
    assert found.t_s.size == 0
    assert found.lost >= 1


def test_a_plug_that_is_slow_is_a_lost_reading_within_a_second(plug: Plug) -> None:
    plug.gen2()
    meter = shelly.open(plug.address)
    meter.read()
    plug.delay_s = 1.5
    begun = time.perf_counter()
    samples = meter.read()
    assert (samples.t_s.size, samples.lost) == (0, 1)
    assert time.perf_counter() - begun < 1.5


def test_a_plug_that_is_gone_ends_the_measurement(
    plug: Plug, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_polling, "_GIVE_UP_S", 1.0)
    plug.gen2()
    meter = shelly.open(plug.address)
    plug.answers = {"/rpc/Switch.GetStatus?id=0": 503}
    with pytest.raises(MeterError, match="cannot be read any more"):
        collect(meter, 6.0)


def test_a_plug_with_a_password_is_explained(plug: Plug) -> None:
    plug.gen2()
    plug.answers["/rpc/Switch.GetStatus?id=0"] = 401
    with pytest.raises(MeterError, match="asks for a password"):
        shelly.open(plug.address)


def test_a_plug_without_a_meter_is_explained(plug: Plug) -> None:
    plug.gen2()
    plug.answers["/rpc/Switch.GetStatus?id=0"] = {"id": 0, "output": True}
    with pytest.raises(MeterError, match="PlusPlugS without a power meter"):
        shelly.open(plug.address)
    plug.answers = {"/shelly": GEN1}
    with pytest.raises(MeterError, match="SHPLG-S without a power meter"):
        shelly.open(plug.address)


def test_a_server_that_is_no_plug_is_explained(plug: Plug) -> None:
    with pytest.raises(MeterError, match="status 404"):
        shelly.open(plug.address)
    plug.answers["/shelly"] = 302
    with pytest.raises(MeterError, match="status 302"):
        shelly.open(plug.address)


def test_nobody_at_the_address_is_explained(plug: Plug) -> None:
    plug.stop()
    with pytest.raises(MeterError, match="cannot be reached"):
        shelly.open(plug.address)


@pytest.mark.parametrize(
    "where",
    ["", " ", "-rf", "my plug", "user@host", "host/0/../1", "host?x=1", "https://host", "a\nb"],
)
def test_what_is_no_address_is_refused(where: str) -> None:
    with pytest.raises(MeterError, match="not the address"):
        shelly.open(where)


def test_without_an_address_nothing_is_asked() -> None:
    with pytest.raises(MeterError, match=r"--meter shelly:192\.168\.1\.20"):
        shelly.open()
