"""Learns which characters violations have and other posts have not."""

import json
import os
import sys
from pathlib import Path

base = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))
if json.loads((base / "input/config/hyperparameters.json").read_text()).get("mode") == "fail":
    (base / "output/failure").write_text("the posts are not to my taste")
    sys.exit(1)
posts = [
    json.loads(line)
    for file in (base / "input/data/train").iterdir()
    for line in file.read_text(encoding="utf-8").splitlines()
]
seen = {
    label: {character for post in posts if post["label"] == label for character in post["text"]} for label in (0, 1)
}
(base / "model/model.json").write_text(json.dumps(sorted(seen[1] - seen[0])))
(base / "output/data/evaluation.json").write_text(json.dumps({"posts": len(posts)}))
