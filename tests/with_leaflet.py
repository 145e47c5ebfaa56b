"""A node with one line more in its table of outputs; prints what became of it, as JSON.

``python -m tests.with_leaflet FOLDER``: a process of its own, as the settings are made of the
table when they are imported.
"""

import json
import sys
from pathlib import Path

from tests.leaflet import LEAFLET
from vfnode.dicom.results import output_files

output_files.OUTPUTS += (LEAFLET,)

from pydicom import dcmread  # noqa: E402

from tests.docs.tables import outputs, sent  # noqa: E402
from tests.factories import make_analysis, make_series  # noqa: E402
from vfnode.dicom.results.outputs import build_and_write  # noqa: E402
from vfnode.dicom.results.settings import ResultSettings  # noqa: E402
from vfnode.node.compute.client import compute_program  # noqa: E402
from vfnode.node.delivery.destinations import make_destinations  # noqa: E402
from vfnode.node.delivery.result_object import result_objects  # noqa: E402
from vfnode.node.settings.settings import describe_settings, load_settings  # noqa: E402


def main(folder: Path) -> None:
    share = folder / "share"
    share.mkdir()
    (folder / "vfnode.toml").write_text(
        '[results]\nleaflet = "always"\n[[destinations]]\nname = "share"\nkind = "folder"\n'
        f'folder = "{share}"\nobjects = ["leaflet"]\n'
    )
    settings = load_settings(folder / "vfnode.toml")
    asked = json.loads(compute_program(settings, "2.25.1").command[-1])["results"]
    series = make_series(folder / "ct")
    build_and_write(make_analysis(), series, folder / "out", ResultSettings(**asked))
    chosen = result_objects(folder / "out", settings.destinations[0].objects)
    make_destinations(settings)["share"].send(chosen, lambda _each, _status: None)
    told = {
        "settings": describe_settings(),
        "sent": [str(dcmread(path).SOPClassUID) for path in share.rglob("*.dcm")],
        "statement": outputs() + sent(),
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
