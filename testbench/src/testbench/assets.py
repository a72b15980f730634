"""Assets: files whose names hold a hash of their content, and assets.json that says which they are."""

import hashlib
import json
import shutil

from . import apps, paths


def build(names: list[str]) -> None:
    """Writes the assets of applications into the layer of the image, or of the container that runs this."""
    index = manifest()
    for app in names:
        for source in sorted((paths.APPS / app / app / "public").glob("*.*")):
            content = source.read_bytes().replace(b"@VERSION@", apps.version(app).encode())
            digest = hashlib.sha256(content).hexdigest()[:8].upper()
            kind = source.suffix.lstrip(".")
            target = paths.ASSETS / app / "dist" / kind / f"{source.stem}.{digest}{source.suffix}"
            shutil.rmtree(target.parent, ignore_errors=True)
            target.parent.mkdir(parents=True)
            target.write_bytes(content)
            index[source.name] = f"/assets/{target.relative_to(paths.ASSETS)}"
    (paths.ASSETS / "assets.json").write_text(json.dumps(index, indent=2, sort_keys=True))


def manifest() -> dict[str, str]:
    path = paths.ASSETS / "assets.json"
    return json.loads(path.read_text()) if path.exists() else {}
