"""A real viewer around the results: OHIF in front of Orthanc's DICOMweb, in headless Chromium."""

from __future__ import annotations

import io
import json
import shutil
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

#: Prebuilt OHIF; `make viewer` fetches it.
DIST = Path(__file__).parents[2] / ".ohif"
CHROMIUM = shutil.which("chromium")
DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
#: Playwright adds --headless; the last two make WebGL from the CPU alone.
FLAGS = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader"),
)
CONFIG = {
    "routerBasename": None,
    "extensions": [],
    "modes": [],
    "showStudyList": True,
    "maxNumberOfWebWorkers": 2,
    "investigationalUseDialog": {"option": "never"},
    "defaultDataSourceName": "orthanc",
    "dataSources": [
        {
            "namespace": "@ohif/extension-default.dataSourcesModule.dicomweb",
            "sourceName": "orthanc",
            "configuration": {
                "friendlyName": "Orthanc",
                "name": "orthanc",
                "wadoUriRoot": "/dicom-web",
                "qidoRoot": "/dicom-web",
                "wadoRoot": "/dicom-web",
                "qidoSupportsIncludeField": False,
                "imageRendering": "wadors",
                "thumbnailRendering": "wadors",
                "enableStudyLazyLoad": True,
                "omitQuotationForMultipartRequest": True,
            },
        }
    ],
}
#: Where the shown image lies on the page, by the viewer's own arithmetic.
PLACE = """() => {
  const id = services.viewportGridService.getActiveViewportId();
  const viewport = services.cornerstoneViewportService.getCornerstoneViewport(id);
  const image = viewport?.getImageData?.();
  if (!image) return null;
  const box = viewport.element.getBoundingClientRect();
  const at = (column, row) => {
    const [x, y] = viewport.worldToCanvas(image.imageData.indexToWorld([column, row, 0]));
    return [box.x + x, box.y + y];
  };
  return {
    instance: viewport.getCurrentImageId().match(/instances\\/([0-9.]+)/)[1],
    origin: at(0, 0),
    far: at(100, 100),
  };
}"""
#: Two frames: the first draws what was asked for, the second shows that it was drawn.
DRAWN = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
WAIT_MS = 120_000  #: a software renderer on a busy machine


def missing() -> str:
    """What is not there of a viewer, and how to get it; empty where all is."""
    needed = {
        "chromium": CHROMIUM is not None,
        "orthanc-dicomweb": DICOMWEB.exists(),
        "OHIF (make viewer, needs npm)": (DIST / "index.html").exists(),
    }
    return ", ".join(name for name, there in needed.items() if not there)


class _Handler(SimpleHTTPRequestHandler):
    """OHIF's files, its settings, and the archive behind the same origin."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, archive: str) -> None:
        self.archive = archive
        super().__init__(*arguments, directory=str(DIST))

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/dicom-web/"):
            self._pass_on()
        elif path == "/app-config.js":
            text = f"window.config = {json.dumps(CONFIG)};"
            self._answer(200, "application/javascript", text.encode())
        elif (DIST / path.lstrip("/")).is_file():
            super().do_GET()
        else:  # an address inside the application
            self._answer(200, "text/html", (DIST / "index.html").read_bytes())

    def _pass_on(self) -> None:
        accept = {"Accept": self.headers.get("Accept", "*/*")}
        wanted = urllib.request.Request(f"{self.archive}{self.path}", headers=accept)
        try:
            with urllib.request.urlopen(wanted, timeout=30) as answer:
                self._answer(answer.status, answer.headers["Content-Type"], answer.read())
        except urllib.error.HTTPError as error:
            self._answer(error.code, "application/json", b"{}")

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        pass


@contextmanager
def ohif(archive: str) -> Iterator[str]:
    """Address of an OHIF before an archive, on a port of its own."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, archive=archive))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


class StudyPage:
    """A study in the viewer, as a radiologist handles it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._address = address
        page.set_default_timeout(WAIT_MS)

    def open(self, study_instance_uid: str) -> None:
        """Open a study."""
        self.page.goto(f"{self._address}/viewer?StudyInstanceUIDs={study_instance_uid}")

    def skip_tour(self) -> None:
        """Say no to the introduction that a new profile is shown once."""
        self._press(self.page.get_by_text("Skip all"))

    def open_pictures(self, first: str) -> None:
        """Open the series of Secondary Captures at its first image."""
        thumbnail = self.page.locator("[data-cy=study-browser-thumbnail]", has_text="vfnode")
        self._press(thumbnail, "dblclick")
        self.page.wait_for_function(f"({PLACE})()?.far")
        self.page.keyboard.press("Home")
        self.wait_for_image(first)

    def open_report(self) -> None:
        """Open the SR."""
        thumbnail = self.page.locator("[data-cy=study-browser-thumbnail-no-image]")
        self._press(thumbnail, "dblclick")

    def wait_for_image(self, sop_instance_uid: str) -> None:
        """Until the instance is shown and drawn."""
        self.page.wait_for_function(f"({PLACE})()?.instance === '{sop_instance_uid}'")
        self.page.evaluate(DRAWN)

    def scroll_to(self, sop_instance_uid: str) -> None:
        """One image on, by the wheel."""
        self.page.mouse.move(*self.on_page(np.array([600.0, 400.0])))
        self.page.mouse.wheel(0, 100)
        self.wait_for_image(sop_instance_uid)

    def on_page(self, points: np.ndarray) -> np.ndarray:
        """Where points (..., 2) of the shown image lie on the page.

        Args:
            points: column, row, from the outer corner of the first pixel.
        """
        place = self.page.evaluate(PLACE)
        origin, far = np.array(place["origin"]), np.array(place["far"])
        places: np.ndarray = origin + (far - origin) / 100 * (np.asarray(points, float) - 0.5)
        return places

    def screenshot(self) -> np.ndarray:
        """What is on the screen, (rows, columns, 3)."""
        return np.asarray(Image.open(io.BytesIO(self.page.screenshot())).convert("RGB"), int)

    def measure(self, ends: np.ndarray) -> float:
        """Lay the length tool along two points (2, 2) of the shown image; its reading, mm."""
        before = len(self.lengths())
        self._press(self.page.locator("[data-cy=Length-btn]"))
        first, last = self.on_page(ends)
        self.page.mouse.move(*first)
        self.page.mouse.down()
        self.page.mouse.move(*last, steps=4)
        self.page.mouse.up()
        self.page.wait_for_function(
            f"services.measurementService.getMeasurements().length > {before}"
        )
        self.page.evaluate(DRAWN)  # the reading is taken as the line is drawn
        return self.lengths()[-1]

    def lengths(self) -> list[float]:
        """Readings of the length tool as the viewer prints them, mm."""
        printed = self.page.evaluate(
            "services.measurementService.getMeasurements().map(m => m.displayText.primary[0])"
        )
        assert all(text.endswith(" mm") for text in printed)
        return [float(text.removesuffix(" mm")) for text in printed]

    def _press(self, element: Locator, event: str = "click") -> None:
        # Not by the mouse: on a busy machine the pages' animations never come to rest.
        element.wait_for(state="attached")
        element.dispatch_event(event)

    def annotations(self) -> str:
        """What the viewer has written on the images."""
        texts: list[str] = self.page.locator("svg text").all_text_contents()
        return "\n".join(texts)


@contextmanager
def chromium(profile: Path) -> Iterator[Page]:
    """An empty page of a headless Chromium with a profile of its own."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            str(profile),
            executable_path=CHROMIUM,
            args=list(FLAGS),
            viewport={"width": 1920, "height": 1500},
        )
        try:
            yield context.pages[0]
        finally:
            context.close()
